#include "engines/compute/machine.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "base/files.hpp"
#include "base/log.hpp"
#include "engines/compute/qemu_arguments.hpp"

namespace brume::compute {
namespace {

// How long QEMU may take to write back and exit after its guest turned itself off.
constexpr auto longest_goodbye = seconds(30);

// QEMU redraws the screen before it writes the picture.
constexpr auto screen_limit = seconds(10);
constexpr size_t largest_screen = 256 << 20;

// How much of a console is read at a time, and how often before other machines have their turn. A console that floods may be read with
// gaps.
constexpr size_t console_piece = 256 << 10;
constexpr int most_pieces = 8;

// After any reset, even one from outside, the firmware resets the machine once or twice more to start afresh. No guest gets as far as
// rebooting itself within this time.
constexpr auto reset_echo = seconds(2);

// Time between two lines in the log about I/O errors of one guest.
constexpr auto trouble_pause = std::chrono::minutes(1);

class ProcessWatcher final : public Watcher {
 public:
  explicit ProcessWatcher(std::weak_ptr<Machine> machine) : machine_(std::move(machine)) {}
  void ready() override {
    if (const auto machine = machine_.lock()) machine->on_process_end();
  }

 private:
  std::weak_ptr<Machine> machine_;
};

std::string disk_trouble_text(const QmpMessage& event) {
  const auto& node = event.field("node-name");
  const auto& disk = node.empty() ? event.field("device") : node;
  if (event.field("nospace") == "true") return "the host has no room left for what the guest writes to " + disk;
  return "the host cannot " + event.field("operation") + " " + disk + ": " + event.field("reason");
}

// States of QEMU that no guest recovers from.
bool is_fault(const std::string& status) { return status == "internal-error" || status == "guest-panicked"; }

}  // namespace

Machine::Machine(EventLoop& loop, std::string id, MachineFolder folder, Callbacks callbacks)
    : loop_(loop), id_(std::move(id)), folder_(std::move(folder)), callbacks_(std::move(callbacks)) {}

Machine::~Machine() { release(); }

Result<void> Machine::watch(const ProcessName& process) {
  Descriptor handle(static_cast<int>(::syscall(SYS_pidfd_open, process.number, 0)));
  // Read after the handle was opened: from here on the process id cannot pass to another process unnoticed.
  if (!handle || !process.alive(std::nullopt)) return fail(ErrorKind::not_found, "the process of " + id_ + " has ended");
  const std::lock_guard lock(mutex_);
  auto watch = loop_.add(handle.get(), std::make_shared<ProcessWatcher>(weak_from_this()));
  if (!watch) return fail(watch.error());
  process_watch_ = *watch;
  process_ = std::move(handle);
  run_ = std::to_string(process.number) + "-" + std::to_string(process.started);
  return {};
}

void Machine::release() {
  std::shared_ptr<QmpClient> qmp;
  Descriptor process;
  {
    const std::lock_guard lock(mutex_);
    qmp.swap(qmp_);
    process = std::move(process_);
  }
  if (process) loop_.remove(process.get(), process_watch_);
  if (qmp) qmp->close();
}

Result<std::shared_ptr<QmpClient>> Machine::monitor(milliseconds limit) {
  const std::lock_guard turn(connecting_);
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return fail(ErrorKind::not_found, id_ + " does not run");
    if (qmp_ && !qmp_->closed()) return qmp_;
  }
  auto socket = connect_unix(folder_.qmp_socket());
  // A process that has just died refuses connections: treated like a connection that it closed.
  if (!socket) return fail(ErrorKind::broken, socket.error().message);
  auto client = QmpClient::open(loop_, std::move(*socket), [self = weak_from_this()](const QmpMessage& event) {
    if (const auto machine = self.lock()) machine->on_event(event);
  });
  if (!client) return fail(client.error());
  if (auto greeted = (*client)->greet(limit); !greeted) {
    (*client)->close();
    return fail(greeted.error());
  }
  const std::lock_guard lock(mutex_);
  qmp_ = *client;
  return *client;
}

Result<QmpMessage> Machine::execute(std::string_view name, std::string_view arguments, milliseconds limit, int handed_over) {
  auto client = monitor();
  if (!client) return fail(client.error());
  return (*client)->execute(name, arguments, limit, handed_over);
}

void Machine::started() {
  const std::lock_guard lock(mutex_);
  reporting_ = true;
}

void Machine::resumed_with(const std::string& status) {
  {
    const std::lock_guard lock(mutex_);
    reporting_ = true;
    halted_ = status != "running";
    disk_trouble_ = status == "io-error";
    if (status == "shutdown") shutdown_ = "the guest turned itself off while the daemon was away";
    if (is_fault(status)) fault_ = "QEMU halted the guest: " + status;
    ending_since_ = std::chrono::steady_clock::now();
  }
  loop_.post([self = shared_from_this(), status] {
    if (status == "io-error") self->report(MachineEvent::io_error, "the guest stands still since a disk of the host failed or was full");
    self->on_tick();
  });
}

std::string Machine::run() const {
  const std::lock_guard lock(mutex_);
  return run_;
}

MachineState Machine::state() const {
  const std::lock_guard lock(mutex_);
  if (ended_ || shutdown_ || fault_) return MachineState::ended;
  return halted_ ? MachineState::paused : MachineState::running;
}

bool Machine::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

bool Machine::wait_for_end(milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [&] { return ended_; });
}

void Machine::signal_process(int number) const {
  const std::lock_guard lock(mutex_);
  if (process_) ::syscall(SYS_pidfd_send_signal, process_.get(), number, nullptr, 0);
}

Result<void> Machine::end(milliseconds grace) {
  std::shared_ptr<QmpClient> qmp;
  {
    const std::lock_guard lock(mutex_);
    reporting_ = false;
    qmp = qmp_;
  }
  // First by a command: QEMU writes back its disk caches and leaves no leaked clusters.
  if (qmp && grace.count() > 0) {
    qmp->post("quit");
    if (wait_for_end(grace)) return {};
  }
  signal_process(SIGKILL);
  if (wait_for_end(seconds(10))) return {};
  return fail(ErrorKind::timed_out, "the process of " + id_ + " does not end; the host's disk may hang");
}

Result<void> Machine::unplug(const std::string& device, milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  {
    const std::lock_guard lock(mutex_);
    unplugged_.erase(device);
  }
  if (auto asked = execute("device_del", json_object({{"id", device}})); !asked) {
    const auto& said = asked.error().message;
    if (said.find("not found") != std::string::npos) return {};
    // Requested before: the guest may still obey.
    if (said.find("in the process of unplug") == std::string::npos) return fail(asked.error());
  }
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, deadline, [&] { return ended_ || unplugged_.count(device) != 0; });
  if (ended_ || unplugged_.erase(device) != 0) return {};
  return fail(ErrorKind::timed_out,
              "the guest of " + id_ + " did not let " + device + " go within " + std::to_string(limit.count()) + " ms");
}

// QEMU writes the picture into our file in memory, so it opens no path of the host.
Result<Picture> Machine::screenshot() {
  const Descriptor file(::memfd_create("screen", MFD_CLOEXEC));
  if (!file) return fail_system("cannot make a file in memory", errno);
  // QEMU takes a handed-over file for writing only if the file allows nothing else.
  const Descriptor to_write(::open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), O_WRONLY | O_CLOEXEC));
  if (!to_write) return fail_system("cannot open a file in memory", errno);
  const auto given = execute("add-fd", {}, screen_limit, to_write.get());
  if (!given) return fail(given.error());
  const auto set = given->field("fdset-id");
  auto dumped = execute("screendump", json_object({{"filename", "/dev/fdset/" + set}}), screen_limit);
  [[maybe_unused]] const auto taken_back = execute("remove-fd", R"({"fdset-id":)" + set + "}", screen_limit);
  if (!dumped) return fail(dumped.error());
  const auto bytes = read_file("/proc/self/fd/" + std::to_string(file.get()), largest_screen);
  if (!bytes) return fail(bytes.error());
  return parse_pixmap(*bytes);
}

Result<void> Machine::press_key() {
  const auto pressed = execute("send-key", R"({"keys":[{"type":"qcode","data":"shift"}]})", screen_limit);
  if (!pressed) return fail(pressed.error());
  return {};
}

void Machine::watch_console() {
  const auto path = console_file(folder_.path());
  for (int turn = 0; turn < most_pieces; ++turn) {
    const auto piece = read_file_from(path, console_seen_, console_piece);
    if (!piece || piece->empty()) return;
    console_seen_ += piece->size();
    if (const auto password = passwords_.feed(*piece)) report(MachineEvent::password_posted, *password);
  }
}

void Machine::bound_files() { console_seen_ -= std::min(folder_.bound(), console_seen_); }

Result<void> Machine::end_job(const std::string& job, milliseconds limit) {
  {
    const std::lock_guard lock(mutex_);
    ended_jobs_.erase(job);
  }
  if (auto asked = execute("block-job-cancel", R"({"device":")" + job + R"(","force":true})"); !asked) {
    if (asked.error().message.find("not found") != std::string::npos) return {};
    // It is ending by itself at this moment.
    if (asked.error().message.find("oncluding") == std::string::npos && asked.error().message.find("null") == std::string::npos)
      return fail(asked.error());
  }
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, limit, [&] { return ended_ || ended_jobs_.count(job) != 0; })) return {};
  return fail(ErrorKind::timed_out, "the job " + job + " of " + id_ + " does not end");
}

Result<void> Machine::remove_export(const std::string& name, milliseconds limit) {
  {
    const std::lock_guard lock(mutex_);
    ended_jobs_.erase(name);
  }
  if (auto asked = execute("block-export-del", json_object({{"id", name}, {"mode", "hard"}}), limit); !asked) {
    const auto& said = asked.error().message;
    if (said.find("not found") != std::string::npos) return {};
    if (said.find("already shutting down") == std::string::npos) return fail(asked.error());
  }
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, limit, [&] { return ended_ || ended_jobs_.count(name) != 0; })) return {};
  return fail(ErrorKind::timed_out, "the server of " + id_ + " does not let go of " + name);
}

void Machine::report(MachineEvent event, std::string detail) {
  {
    const std::lock_guard lock(mutex_);
    if (!reporting_) return;
  }
  callbacks_.report({id_, event, std::move(detail)});
}

void Machine::send_away(QmpClient& qmp) {
  qmp.post("query-blockstats");
  qmp.post("quit");
}

void Machine::on_event(const QmpMessage& event) {
  std::unique_lock lock(mutex_);
  if (event.kind == QmpMessage::Kind::reply && event.value.starts_with('[')) {
    last_counters_ = event.value;
  } else if (event.kind == QmpMessage::Kind::reply) {
    // The answer to the question of on_tick.
    if (!fault_ && is_fault(event.field("status"))) {
      fault_ = "QEMU halted the guest: " + event.field("status");
      ending_since_ = std::chrono::steady_clock::now();
    }
  } else if (event.name == "SHUTDOWN" && event.field("guest") == "true") {
    if (!shutdown_) shutdown_ = event.field("reason");
    ending_since_ = std::chrono::steady_clock::now();
    const auto qmp = qmp_;
    lock.unlock();
    if (qmp) send_away(*qmp);
  } else if (event.name == "RESET") {
    const auto now = std::chrono::steady_clock::now();
    const bool first = now - std::exchange(last_reset_, now) > reset_echo;
    lock.unlock();
    if (first && event.field("guest") == "true") report(MachineEvent::guest_reset, event.field("reason"));
  } else if (event.name == "STOP") {
    halted_ = true;
  } else if (event.name == "RESUME") {
    const bool told = std::exchange(halted_, false);
    disk_trouble_ = false;
    lock.unlock();
    if (told) report(MachineEvent::resumed, "");
  } else if (event.name == "BLOCK_IO_ERROR" && event.field("action") == "stop") {
    // One event for each pending request; the first one is enough.
    const bool told = std::exchange(disk_trouble_, true);
    halted_ = true;  // STOP follows
    lock.unlock();
    if (!told) report(MachineEvent::io_error, disk_trouble_text(event));
  } else if (event.name == "BLOCK_IO_ERROR" && event.field("action") == "report") {
    // The guest was told. It may retry as often as it likes, so the log mentions it only now and then.
    const auto now = std::chrono::steady_clock::now();
    if (now - trouble_logged_ < trouble_pause) return;
    trouble_logged_ = now;
    lock.unlock();
    log::error("compute", "{} got an I/O error: {}", id_, disk_trouble_text(event));
  } else if (event.name == "BLOCK_JOB_COMPLETED" || event.name == "BLOCK_JOB_CANCELLED") {
    const auto job = event.field("device");
    ended_jobs_.insert(job);
    changed_.notify_all();
    lock.unlock();
    if (!event.field("error").empty()) log::warning("compute", "{}: the job {} failed: {}", id_, job, event.field("error"));
    report(MachineEvent::disk_folded, job.substr(0, job.find('-')));
  } else if (event.name == "BLOCK_EXPORT_DELETED") {
    ended_jobs_.insert(event.field("id"));
    changed_.notify_all();
  } else if (event.name == "DEVICE_DELETED" && !event.field("device").empty()) {
    const auto device = event.field("device");
    unplugged_.insert(device);
    changed_.notify_all();
    lock.unlock();
    report(MachineEvent::device_gone, device);
  }
}

void Machine::on_process_end() {
  std::shared_ptr<QmpClient> qmp;
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    qmp = qmp_;
  }
  // Its last events may still be unread: they tell a shutdown from a death.
  for (int turn = 0; turn < 8 && qmp && !qmp->closed(); ++turn) qmp->ready();
  MachineEnd end{MachineEnd::How::killed, ""};
  bool reported = false;
  std::string counters;
  {
    const std::lock_guard lock(mutex_);
    counters = last_counters_;
    reported = reporting_;
    if (reporting_ && shutdown_)
      end = {MachineEnd::How::guest_shutdown, *shutdown_};
    else if (reporting_)
      end = {MachineEnd::How::died, fault_.value_or("")};
  }
  if (end.how == MachineEnd::How::died && end.detail.empty()) end.detail = folder_.last_words();
  if (end.how == MachineEnd::How::died && end.detail.empty())
    end.detail = "QEMU ended without a word; it was killed, perhaps for want of memory";
  // On disk before anybody is told, so that a restart of the daemon reports the same.
  folder_.keep_end(end);
  callbacks_.gone(id_);
  release();
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  if (!reported) return;
  MachineReport last{id_, end.how == MachineEnd::How::died ? MachineEvent::died : MachineEvent::guest_shutdown, end.detail};
  if (auto disks = counters.empty() ? Result<std::vector<DiskCounters>>() : parse_block_stats(counters); disks && !disks->empty())
    last.counters = DiskReading{run(), std::chrono::steady_clock::now(), std::move(*disks)};
  callbacks_.report(std::move(last));
}

void Machine::on_tick() {
  std::shared_ptr<QmpClient> qmp;
  bool ending = false;
  bool overdue = false;
  bool halted = false;
  {
    const std::lock_guard lock(mutex_);
    if (ended_ || !reporting_) return;
    qmp = qmp_;
    ending = shutdown_ || fault_;
    overdue = ending && std::chrono::steady_clock::now() - ending_since_ > longest_goodbye;
    halted = halted_ && !disk_trouble_;
  }
  if (overdue)
    signal_process(SIGKILL);
  else if (ending && qmp)
    send_away(*qmp);
  // We never halt a guest: QEMU did, and has to be asked for the reason.
  else if (halted && qmp)
    qmp->post("query-status");
}

}  // namespace brume::compute
