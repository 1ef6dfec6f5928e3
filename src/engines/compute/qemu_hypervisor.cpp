// Hypervisor over QEMU processes. A start goes like this: folder and sockets are made, QEMU is started halted and without a parent, its
// process is recorded, its monitor greeted, its processors started. After a crash anywhere in between, recover() removes it.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "base/files.hpp"
#include "base/log.hpp"
#include "base/receiver.hpp"
#include "base/secret_file.hpp"
#include "base/text.hpp"
#include "engines/compute/accelerator.hpp"
#include "engines/compute/console_reader.hpp"
#include "engines/compute/control_groups.hpp"
#include "engines/compute/cpu_governor.hpp"
#include "engines/compute/disk_servers.hpp"
#include "engines/compute/event_loop.hpp"
#include "engines/compute/hypervisor.hpp"
#include "engines/compute/machine.hpp"
#include "engines/compute/machine_disks.hpp"
#include "engines/compute/machine_folder.hpp"
#include "engines/compute/qemu_arguments.hpp"
#include "engines/compute/user_numbers.hpp"

namespace brume::compute {
namespace {

constexpr auto greeting_limit = seconds(20);
constexpr auto command_limit = seconds(10);
constexpr auto quit_limit = seconds(3);
constexpr auto tick_period = seconds(1);
constexpr auto console_limit = seconds(10);
constexpr auto group_limit = milliseconds(250);

std::string servers_folder(const std::string& machines) {
  return std::filesystem::path(machines).replace_filename("disk-servers").string();
}

Result<void> done(const Result<QmpMessage>& reply) {
  if (!reply) return fail(reply.error());
  return {};
}

class QemuHypervisor final : public Hypervisor {
 public:
  QemuHypervisor(const QemuConfiguration& configuration, Description description, std::optional<unsigned> kvm_group,
                 std::unique_ptr<EventLoop> loop, const Clock& clock)
      : folder_(configuration.folder),
        clock_(clock),
        pause_on_disk_trouble_(configuration.pause_on_disk_trouble),
        description_(std::move(description)),
        kvm_group_(kvm_group),
        groups_("brume-" + std::to_string(stable_hash(configuration.folder) % 100'000'000)),
        numbers_({folder_, servers_folder(folder_)}, configuration.user_base),
        loop_(std::move(loop)),
        servers_({servers_folder(folder_), *loop_, [this](const std::string& id) { return user(id); },
                  [this](const std::string& id) { numbers_.give_back(id); }, [this](MachineReport what) { report(std::move(what)); }}),
        consoles_(tick_period, {[this] { return machines(); }, [this](Machine& machine) { look_at_console(machine); },
                                [this](Machine& machine) { look_last(machine); },
                                [this] { governor_.save_now_and_then(std::chrono::steady_clock::now()); }}) {
    if (groups_.trouble().empty()) {
      description_.processor_shares = "kept by control groups, version " + std::to_string(groups_.version());
    } else {
      description_.processor_shares = "not kept: " + groups_.trouble();
      log::warning("compute", "machines are not held to the processor share of their type: {}", groups_.trouble());
    }
    loop_->every(tick_period, [this] { tick(); });
  }

  ~QemuHypervisor() override {
    for (const auto& machine : machines()) machine->release();
    servers_.release();
    loop_->stop();
    consoles_.stop();
    groups_.tidy_within(group_limit);
  }

  Description describe() const override { return description_; }
  void on_report(std::function<void(MachineReport)> receiver) override { receiver_.set(std::move(receiver)); }
  Result<std::vector<std::string>> recover() override;

  Result<void> start(MachineSpec spec) override;
  Result<void> press_power_button(const std::string& id) override { return command(id, "system_powerdown"); }
  Result<void> reset(const std::string& id) override { return command(id, "system_reset"); }
  Result<void> kill(const std::string& id) override;
  Result<MachineState> state(const std::string& id) override;
  Result<void> resume(const std::string& id) override { return command(id, "cont"); }
  Result<void> pause(const std::string& id) override { return command(id, "stop"); }
  void change_cpu(const std::string& id, const CpuPlan& plan) override { governor_.change(id, plan); }

  Result<void> attach_disk(const std::string& id, const Disk& disk) override;
  Result<void> serve_disk(const std::string& id, const Disk& disk) override {
    if (disk.served_to.empty()) return {};
    auto served = running(id).and_then([&](const auto&) { return servers_.admit(disk, client(id)); });
    // It ended when it was not yet in the list.
    if (!find(id)) return servers_.dismiss(disk.volume_id, id).and_then([&]() -> Result<void> { return fail(ErrorKind::not_found, id); });
    return served;
  }
  Result<void> detach_disk(const std::string& id, const std::string& volume_id, bool force, milliseconds limit) override;
  Result<milliseconds> switch_disks(const std::string& id, const std::vector<Disk>& overlays) override;
  Result<std::int64_t> disk_generation(const std::string& id, const std::string& volume_id) override;
  Result<void> fold_disk(const std::string& id, const std::string& volume_id, const std::string& base, const std::string& base_name,
                         std::uint64_t bytes_per_second) override;
  Result<int> fold_percent(const std::string& id, const std::string& volume_id) override {
    return running(id).and_then([&](const auto& machine) { return compute::fold_percent(*machine, volume_id); });
  }
  Result<void> limit_disk(const std::string& id, const std::string& volume_id, const DiskLimits& limits) override {
    return running(id).and_then([&](const auto& machine) { return compute::limit_disk(*machine, volume_id, limits); });
  }
  Result<void> resize_disk(const std::string& id, const std::string& volume_id, std::uint64_t bytes) override;
  Result<DiskReading> disk_counters(const std::string& id) override {
    return running(id).and_then([](const auto& machine) { return compute::disk_counters(*machine); });
  }
  Result<void> attach_nic(const std::string& id, Nic nic) override;
  Result<void> detach_nic(const std::string& id, const std::string& interface_id, bool force, milliseconds limit) override;

  Result<Console> console(const std::string& id, size_t limit) override;
  Result<Picture> screenshot(const std::string& id) override;
  Result<void> press_key(const std::string& id) override;
  Result<void> forget(const std::string& id) override;
  Result<void> forget_run(const std::string& id) override;

  unsigned user_of(const std::string& id) const override {
    // Only root can become another user.
    if (::geteuid() != 0) return ::geteuid();
    return is_plain_id(id) ? numbers_.take(id) : numbers_.find(id);
  }

 private:
  MachineFolder folder_of(const std::string& id) const { return MachineFolder(folder_ + "/" + id); }
  std::optional<unsigned> user(const std::string& id) const {
    return ::geteuid() == 0 ? std::optional<unsigned>(numbers_.find(id)) : std::nullopt;
  }
  DiskServers::Client client(const std::string& id) const { return {id, folder_of(id).path(), user(id)}; }
  std::shared_ptr<Machine> make_machine(const std::string& id);
  // A machine that has not ended; null: there is none.
  std::shared_ptr<Machine> find(const std::string& id) const;
  // The same, or the server of a disk that several machines have.
  Result<std::shared_ptr<Machine>> running(const std::string& id) const;
  std::vector<std::shared_ptr<Machine>> machines() const;
  void keep(const std::shared_ptr<Machine>& machine);
  void drop(const std::string& id);

  Result<void> launch(Machine& machine, const MachineSpec& spec);
  bool take_up(const std::string& id);
  void report_end(const std::string& id);
  void remove_unfinished(const std::string& id);
  Result<void> command(const std::string& id, std::string_view name);
  void report(MachineReport what) { receiver_.tell(std::move(what)); }
  void tick();
  // Called on the consoles' thread.
  void look_at_console(Machine& machine);
  void look_last(Machine& machine);

  const std::string folder_;
  const Clock& clock_;
  const bool pause_on_disk_trouble_;
  Description description_;
  const std::optional<unsigned> kvm_group_;
  ControlGroups groups_;
  mutable UserNumbers numbers_;
  CpuGovernor governor_{[this](const std::string& id, double processors) { groups_.limit(id, processors); }};
  std::mutex console_mutex_;  // a console is not cut while it is being read
  Receiver<MachineReport> receiver_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Machine>> machines_;
  std::unique_ptr<EventLoop> loop_;
  DiskServers servers_;
  ConsoleReader consoles_;
};

std::shared_ptr<Machine> QemuHypervisor::make_machine(const std::string& id) {
  Machine::Callbacks callbacks;
  callbacks.report = [this](MachineReport what) { report(std::move(what)); };
  callbacks.gone = [this](const std::string& which) {
    groups_.leave(which);
    const std::lock_guard lock(mutex_);
    if (const auto found = machines_.find(which); found != machines_.end()) consoles_.ended(found->second);
  };
  return std::make_shared<Machine>(*loop_, id, folder_of(id), std::move(callbacks));
}

std::shared_ptr<Machine> QemuHypervisor::find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = machines_.find(id);
  return found == machines_.end() || found->second->ended() ? nullptr : found->second;
}

Result<std::shared_ptr<Machine>> QemuHypervisor::running(const std::string& id) const {
  auto machine = find(id);
  if (!machine) machine = servers_.find(id);
  if (!machine) return fail(ErrorKind::not_found, id + " does not run");
  return machine;
}

std::vector<std::shared_ptr<Machine>> QemuHypervisor::machines() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Machine>> all;
  all.reserve(machines_.size());
  for (const auto& [id, machine] : machines_) all.push_back(machine);
  return all;
}

void QemuHypervisor::keep(const std::shared_ptr<Machine>& machine) {
  const std::lock_guard lock(mutex_);
  machines_[machine->id()] = machine;
}

void QemuHypervisor::drop(const std::string& id) {
  servers_.dismiss_everywhere(id);
  std::shared_ptr<Machine> last;
  const std::lock_guard lock(mutex_);
  const auto found = machines_.find(id);
  if (found == machines_.end()) return;
  last = std::move(found->second);
  machines_.erase(found);
}

void QemuHypervisor::tick() {
  groups_.tidy();
  governor_.tick(std::chrono::steady_clock::now());
  for (const auto& machine : machines()) {
    if (machine->ended()) {
      // Its folder has everything there is to know; only what nobody has replaced meanwhile is removed.
      const std::lock_guard lock(mutex_);
      const auto found = machines_.find(machine->id());
      if (found != machines_.end() && found->second == machine) machines_.erase(found);
      continue;
    }
    machine->on_tick();
  }
}

void QemuHypervisor::look_at_console(Machine& machine) {
  machine.watch_console();
  const std::lock_guard lock(console_mutex_);
  machine.bound_files();
}

void QemuHypervisor::look_last(Machine& machine) {
  machine.watch_console();
  governor_.end(machine.id());
}

Result<void> QemuHypervisor::launch(Machine& machine, const MachineSpec& spec) {
  const auto& folder = machine.folder();
  auto qmp = listen_unix(folder.qmp_socket());
  if (!qmp) return fail(qmp.error());
  auto serial = listen_unix(folder.serial_socket());
  if (!serial) return fail(serial.error());
  QemuHost host;
  host.accelerator = description_.accelerator;
  host.folder = folder.path();
  host.qmp_socket = qmp->get();
  host.console_socket = serial->get();
  host.pause_on_disk_trouble = pause_on_disk_trouble_;
  host.user = user(spec.id);
  host.kvm_group = kvm_group_;
  std::vector<Descriptor> keys;
  for (const auto& disk : spec.disks) {
    if (disk.key.empty() || !disk.served_to.empty()) continue;
    auto key = make_secret_file(disk.key);
    if (!key) return fail(key.error());
    host.disk_keys[disk.volume_id] = key->get();
    keys.push_back(std::move(*key));
  }
  const auto process = start_detached(qemu_command(spec, host));
  if (!process) return fail(process.error());
  // From here on only QEMU holds the sockets, so when it ends, anybody waiting at them notices.
  qmp->close();
  serial->close();
  const ProcessName name{*process, process_start_time(*process).value_or(0), false};
  if (auto kept = folder.keep_process(name); !kept) {
    // Nothing on disk names it, and it waits for `cont`, which never comes.
    if (machine.watch(name)) [[maybe_unused]]
      const auto ended = machine.end(milliseconds(0));
    return kept;
  }
  if (auto watched = machine.watch(name); !watched) return watched;
  groups_.enter(spec.id, name.number, spec.cpu.weight);
  governor_.begin(spec.id, name.number, spec.cpu, folder.cpu_file(), std::chrono::steady_clock::now(), clock_.now());
  if (auto monitor = machine.monitor(greeting_limit); !monitor) return fail(monitor.error());
  machine.started();
  for (const auto& disk : spec.disks)
    if (disk.limits.any() && disk.served_to.empty())
      if (auto limited = compute::limit_disk(machine, disk.volume_id, disk.limits); !limited) return limited;
  if (auto going = machine.execute("cont", {}, command_limit); !going) return fail(going.error());
  const auto status = machine.execute("query-status", {}, command_limit);
  if (!status) return fail(status.error());
  if (status->field("running") != "true" && machine.state() == MachineState::running)
    return fail(ErrorKind::broken, "QEMU does not run the guest: " + status->field("status"));
  return {};
}

Result<void> QemuHypervisor::start(MachineSpec spec) {
  if (auto valid = validate(spec); !valid) return valid;
  if (find(spec.id)) return fail(ErrorKind::exists, spec.id + " already runs");
  if (const auto old = folder_of(spec.id).process(); old && old->alive(user(spec.id)))
    return fail(ErrorKind::exists, spec.id + " already runs");
  if (!consoles_.finish(spec.id, console_limit)) return fail(ErrorKind::timed_out, "the disk of " + folder_ + " does not answer");
  const auto folder = folder_of(spec.id);
  if (auto prepared = folder.prepare(user(spec.id)); !prepared) return fail(prepared.error().within("cannot start " + spec.id));
  const auto machine = make_machine(spec.id);
  keep(machine);
  Result<void> launched;
  for (const auto& disk : spec.disks)
    if (launched) launched = serve_disk(spec.id, disk);
  if (launched) launched = launch(*machine, spec);
  if (launched) return {};
  auto error = launched.error();
  if (folder.process()) [[maybe_unused]]
    const auto ended = machine->end(milliseconds(0));
  // QEMU's message says more than the fact that it ended.
  if (const auto words = folder.words(); !words.empty()) error = {ErrorKind::broken, words};
  // Its folder is not removed under the reader of its console, which would leave parts of it.
  [[maybe_unused]] const auto finished = consoles_.finish(spec.id, console_limit);
  drop(spec.id);
  governor_.end(spec.id);
  groups_.leave(spec.id);
  folder.remove();
  return fail(explain(error).within("cannot start " + spec.id));
}

Result<void> QemuHypervisor::kill(const std::string& id) {
  if (const auto machine = find(id)) {
    if (auto ended = machine->end(quit_limit); !ended) return ended;
    drop(id);
    return {};
  }
  servers_.dismiss_everywhere(id);
  // It can run without our knowledge only before recover().
  const auto process = is_plain_id(id) ? folder_of(id).process() : std::nullopt;
  if (!process || !process->alive(user(id))) return {};
  const auto machine = make_machine(id);
  if (!machine->watch(*process)) return {};
  return machine->end(milliseconds(0));
}

Result<MachineState> QemuHypervisor::state(const std::string& id) {
  if (const auto machine = find(id)) return machine->state();
  if (!is_plain_id(id) || !folder_of(id).exists()) return fail(ErrorKind::not_found, id + " is not known here");
  return MachineState::ended;
}

Result<void> QemuHypervisor::command(const std::string& id, std::string_view name) {
  auto machine = running(id);
  if (!machine) return fail(machine.error());
  return done((*machine)->execute(name, {}, command_limit));
}

// A machine that dies during a command leaves a closed monitor, and its end is reported a moment later: it does not run.
template <class Value>
Result<Value> unless_ended(Machine& machine, Result<Value> result) {
  if (!result && result.error().kind == ErrorKind::broken && machine.wait_for_end(seconds(1)))
    return fail(ErrorKind::not_found, machine.id() + " has ended: " + result.error().message);
  return result;
}

Result<void> QemuHypervisor::attach_disk(const std::string& id, const Disk& disk) {
  const auto machine = running(id);
  if (!machine) return fail(machine.error());
  if (auto served = serve_disk(id, disk); !served) return served;
  auto attached = unless_ended(**machine, compute::attach_disk(**machine, disk, pause_on_disk_trouble_));
  if (!attached && attached.error().kind != ErrorKind::exists)
    if (auto dismissed = servers_.dismiss(disk.volume_id, id); !dismissed) log::error("compute", "{}", dismissed.error().message);
  return attached;
}

Result<void> QemuHypervisor::detach_disk(const std::string& id, const std::string& volume_id, bool force, milliseconds limit) {
  if (!is_plain_id(volume_id)) return fail(ErrorKind::invalid, "'" + volume_id + "' is not a volume id");
  auto gone = running(id).and_then(
      [&](const auto& machine) { return unless_ended(*machine, compute::detach_disk(*machine, volume_id, force, limit)); });
  if (!gone && gone.error().kind != ErrorKind::not_found) return gone;
  return servers_.dismiss(volume_id, id).and_then([&] { return gone; });
}

Result<milliseconds> QemuHypervisor::switch_disks(const std::string& id, const std::vector<Disk>& overlays) {
  for (const auto& overlay : overlays)
    if (auto valid = validate(overlay); !valid) return fail(valid.error());
  return running(id).and_then([&](const auto& machine) { return unless_ended(*machine, compute::switch_disks(*machine, overlays)); });
}

Result<std::int64_t> QemuHypervisor::disk_generation(const std::string& id, const std::string& volume_id) {
  return running(id).and_then([&](const auto& machine) { return unless_ended(*machine, compute::disk_generation(*machine, volume_id)); });
}

Result<void> QemuHypervisor::fold_disk(const std::string& id, const std::string& volume_id, const std::string& base,
                                       const std::string& base_name, std::uint64_t bytes_per_second) {
  return running(id).and_then(
      [&](const auto& machine) { return compute::fold_disk(*machine, volume_id, base, base_name, bytes_per_second); });
}

Result<void> QemuHypervisor::resize_disk(const std::string& id, const std::string& volume_id, std::uint64_t bytes) {
  if (id == volume_id) {
    const auto clients = servers_.resize(volume_id, bytes);
    if (!clients) return fail(clients.error());
    for (const auto& client : *clients)
      if (const auto machine = find(client))
        if (auto noted = unless_ended(*machine, note_served_size(*machine, volume_id, bytes));
            !noted && noted.error().kind != ErrorKind::not_found)
          return noted;
    return {};
  }
  return running(id).and_then(
      [&](const auto& machine) { return unless_ended(*machine, compute::resize_disk(*machine, volume_id, bytes)); });
}

Result<void> QemuHypervisor::attach_nic(const std::string& id, Nic nic) {
  if (auto valid = validate(nic); !valid) return valid;
  auto machine = running(id);
  if (!machine) return fail(machine.error());
  const auto what = "cannot attach " + nic.interface_id + " to " + id;
  const auto handle = nic.interface_id + "-tap";
  auto given = (*machine)->execute("getfd", json_object({{"fdname", handle}}), command_limit, nic.tap.get());
  if (!given) return fail(given.error().within(what));
  if (auto added = (*machine)->execute("netdev_add", nic_end(nic, handle), command_limit); !added) {
    [[maybe_unused]] const auto undone = (*machine)->execute("closefd", json_object({{"fdname", handle}}));
    return fail(explain(added.error()).within(what));
  }
  auto plugged = (*machine)->execute("device_add", nic_device(nic), command_limit);
  if (plugged) return {};
  [[maybe_unused]] const auto undone = (*machine)->execute("netdev_del", json_object({{"id", nic.interface_id + "-end"}}));
  return fail(explain(plugged.error()).within(what));
}

Result<void> QemuHypervisor::detach_nic(const std::string& id, const std::string& interface_id, bool force, milliseconds limit) {
  if (!is_plain_id(interface_id)) return fail(ErrorKind::invalid, "'" + interface_id + "' is not an interface id");
  auto machine = running(id);
  if (!machine) return fail(machine.error());
  auto unplugged = (*machine)->unplug(interface_id, limit);
  // By force: the card stays with the guest, without a cable.
  if (!unplugged && (!force || unplugged.error().kind != ErrorKind::timed_out)) return unplugged;
  auto removed = (*machine)->execute("netdev_del", json_object({{"id", interface_id + "-end"}}), command_limit);
  if (!removed && removed.error().message.find("not found") == std::string::npos) return fail(removed.error());
  return {};
}

Result<Hypervisor::Console> QemuHypervisor::console(const std::string& id, size_t limit) {
  if (!is_plain_id(id)) return fail(ErrorKind::not_found, id + " is not known here");
  const auto path = console_file(folder_of(id).path());
  const std::lock_guard lock(console_mutex_);
  auto text = read_file_tail(path, limit);
  if (!text) return fail(text.error());
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return fail(ErrorKind::not_found, id + " has no console");
  const auto written = std::chrono::seconds(status.st_mtim.tv_sec) + std::chrono::nanoseconds(status.st_mtim.tv_nsec);
  return Console{std::move(*text), Time(std::chrono::floor<milliseconds>(written))};
}

Result<Picture> QemuHypervisor::screenshot(const std::string& id) {
  auto machine = running(id);
  if (!machine) return fail(machine.error());
  return (*machine)->screenshot();
}

Result<void> QemuHypervisor::press_key(const std::string& id) {
  auto machine = running(id);
  if (!machine) return fail(machine.error());
  return (*machine)->press_key();
}

Result<void> QemuHypervisor::forget(const std::string& id) {
  if (auto forgotten = forget_run(id); !forgotten) return forgotten;
  std::error_code ignored;
  if (is_plain_id(id)) std::filesystem::remove(folder_of(id).cpu_file(), ignored);
  numbers_.give_back(id);
  return {};
}

Result<void> QemuHypervisor::forget_run(const std::string& id) {
  if (!is_plain_id(id)) return {};
  const auto folder = folder_of(id);
  const auto process = folder.process();
  if (find(id) || (process && process->alive(user(id)))) return fail(ErrorKind::refused, id + " still runs");
  if (!consoles_.finish(id, console_limit)) return fail(ErrorKind::timed_out, "the disk of " + folder_ + " does not answer");
  drop(id);
  groups_.leave(id);
  folder.remove();
  return {};
}

// Recovery ------------------------------------------------------------------------------------------------------------------------

Result<std::vector<std::string>> QemuHypervisor::recover() {
  std::vector<std::string> found;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, code)) {
    const auto id = entry.path().filename().string();
    if (!entry.is_directory() || !is_plain_id(id) || find(id)) continue;
    const auto folder = folder_of(id);
    const auto process = folder.process();
    if (process && process->alive(user(id))) {
      if (take_up(id)) found.push_back(id);
    } else if (process && process->before_restart && !folder.end()) {
      // The host went down with it. Nobody ended it, so nothing is reported; it is restarted if it should run.
      groups_.leave(id);
    } else if (process || folder.end()) {
      report_end(id);
    } else {
      remove_unfinished(id);
    }
  }
  groups_.sweep();
  if (code) return fail_system("cannot look into " + folder_, code.value());
  servers_.recover({found.begin(), found.end()});
  return found;
}

// True: it runs, and we are in charge again.
bool QemuHypervisor::take_up(const std::string& id) {
  const auto machine = make_machine(id);
  if (!machine->watch(*machine->folder().process())) {
    report_end(id);
    return false;
  }
  keep(machine);
  if (const auto process = machine->folder().process())
    governor_.resume(id, process->number, machine->folder().cpu_file(), std::chrono::steady_clock::now());
  const auto status = machine->execute("query-status");
  if (status && status->field("status") == "prelaunch") {
    // Its start never finished, and nobody was told about it.
    [[maybe_unused]] const auto ended = machine->end(milliseconds(0));
    [[maybe_unused]] const auto finished = consoles_.finish(id, console_limit);
    drop(id);
    machine->folder().remove();
    return false;
  }
  if (!status) log::warning("compute", "{} runs but its monitor does not answer: {}", id, status.error().message);
  machine->resumed_with(status ? status->field("status") : "running");
  return machine->state() != MachineState::ended;
}

// It ended while no daemon was watching, or before the last one could report: reported (again) now.
void QemuHypervisor::report_end(const std::string& id) {
  const auto folder = folder_of(id);
  auto end = folder.end();
  if (!end) {
    auto words = folder.last_words();
    if (words.empty()) words = "QEMU ended while the daemon was away";
    end = MachineEnd{MachineEnd::How::died, words};
    folder.keep_end(*end);
  }
  groups_.leave(id);
  if (end->how == MachineEnd::How::killed) return;
  const auto event = end->how == MachineEnd::How::guest_shutdown ? MachineEvent::guest_shutdown : MachineEvent::died;
  loop_->post([this, id, event, detail = end->detail] { report({id, event, detail}); });
}

// The daemon died between starting a QEMU and recording its process. If it exists, it is halted and holds the other end of its socket.
void QemuHypervisor::remove_unfinished(const std::string& id) {
  const auto machine = make_machine(id);
  if (const auto monitor = machine->monitor()) {
    (*monitor)->post("quit");
    // It hangs up when it ends.
    (*monitor)->wait_until_closed(seconds(2));
  }
  machine->release();
  machine->folder().remove();
}

}  // namespace

// The machines' users must be able to pass through to their folders.
static Result<void> check_passage(const std::string& folder) {
  if (::geteuid() != 0) return {};
  for (std::filesystem::path path(folder); path.has_relative_path(); path = path.parent_path()) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 0001) == 0)
      return fail(ErrorKind::refused,
                  "the users of the machines cannot pass through " + path.string() + ": chmod o+x it, or choose another home");
  }
  return {};
}

Result<std::unique_ptr<Hypervisor>> make_qemu_hypervisor(const QemuConfiguration& configuration, const Clock& clock) {
  auto chosen = configuration;
  chosen.folder = std::filesystem::absolute(configuration.folder).lexically_normal().string();
  if (chosen.accelerator != "auto" && chosen.accelerator != "kvm" && chosen.accelerator != "tcg")
    return fail(ErrorKind::invalid, "the accelerator '" + chosen.accelerator + "' is unknown; auto, kvm and tcg are there");
  if (auto made = make_folders(chosen.folder, 0711); !made) return fail(made.error());
  if (auto open = check_passage(chosen.folder); !open) return fail(open.error());
  const auto access = kvm_access();
  auto loop = EventLoop::make();
  if (!loop) return fail(loop.error());
  auto description = choose_accelerator(chosen, access);
  return std::make_unique<QemuHypervisor>(chosen, std::move(description), access.group, std::move(*loop), clock);
}

}  // namespace brume::compute
