// Pretends. Reports come on a thread of its own, like real ones: a receiver may hold any lock while it calls us.
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/receiver.hpp"
#include "engines/compute/hypervisor.hpp"
#include "engines/compute/qemu_arguments.hpp"

namespace brume::compute {
namespace {

class Reporter {
 public:
  ~Reporter() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
  }
  void receive(std::function<void(MachineReport)> receiver) { receiver_.set(std::move(receiver)); }
  void send(MachineReport report) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(report));
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    changed_.notify_all();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      auto report = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      receiver_.tell(std::move(report));
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<MachineReport> waiting_;
  Receiver<MachineReport> receiver_;
  bool stopping_ = false;
  std::thread thread_;
};

// "SIMULATED" on black, so that nobody takes it for the screen of a machine. Letters of five by seven points.
Picture simulated_screen() {
  constexpr std::array<std::array<std::uint8_t, 7>, 9> letters = {{{0x0f, 0x10, 0x10, 0x0e, 0x01, 0x01, 0x1e},
                                                                   {0x0e, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0e},
                                                                   {0x11, 0x1b, 0x15, 0x15, 0x11, 0x11, 0x11},
                                                                   {0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0e},
                                                                   {0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1f},
                                                                   {0x0e, 0x11, 0x11, 0x1f, 0x11, 0x11, 0x11},
                                                                   {0x1f, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04},
                                                                   {0x1f, 0x10, 0x10, 0x1e, 0x10, 0x10, 0x1f},
                                                                   {0x1e, 0x11, 0x11, 0x11, 0x11, 0x11, 0x1e}}};
  constexpr std::uint32_t width = 640;
  constexpr std::uint32_t height = 400;
  constexpr std::uint32_t point = 10;
  Picture picture{width, height, std::string(width * height * 3, '\0')};
  for (std::uint32_t y = 0; y < height; ++y) {
    for (std::uint32_t x = 0; x < width; ++x) {
      const auto column = (x + width - 50) % width / point;  // six to a letter
      const auto row = (y + height - 165) % height / point;
      if (row < 7 && column / 6 < letters.size() && column % 6 < 5 && (letters[column / 6][row] & (0x10U >> column % 6)) != 0)
        picture.pixels.replace((static_cast<size_t>(y) * width + x) * 3, 3, 3, '\xaa');
    }
  }
  return picture;
}

class SimulatedHypervisor final : public Hypervisor {
 public:
  explicit SimulatedHypervisor(const Clock& clock) : clock_(clock) {}

  Description describe() const override { return {"simulated", "simulation mode: no machine is real"}; }
  void on_report(std::function<void(MachineReport)> receiver) override { reporter_.receive(std::move(receiver)); }
  Result<std::vector<std::string>> recover() override { return std::vector<std::string>{}; }

  Result<void> start(MachineSpec spec) override {
    if (!is_plain_id(spec.id)) return fail(ErrorKind::invalid, "'" + spec.id + "' is not an instance id");
    const std::lock_guard lock(mutex_);
    auto& machine = machines_[spec.id];
    if (machine.runs) return fail(ErrorKind::exists, spec.id + " already runs");
    machine = {};
    machine.runs = true;
    machine.started = clock_.now();
    for (const auto& disk : spec.disks) {
      machine.devices.insert(disk.volume_id);
      machine.generations[disk.volume_id] = disk.generation;
    }
    for (const auto& nic : spec.nics) machine.devices.insert(nic.interface_id);
    return {};
  }
  Result<void> press_power_button(const std::string& id) override {
    {
      const std::lock_guard lock(mutex_);
      const auto found = machines_.find(id);
      if (found == machines_.end() || !found->second.runs) return absent(id);
      found->second.runs = false;
    }
    reporter_.send({id, MachineEvent::guest_shutdown, "guest-shutdown"});
    return {};
  }
  Result<void> reset(const std::string& id) override {
    return if_running(id, [](Machine&) { return Result<void>{}; });
  }
  Result<void> kill(const std::string& id) override {
    const std::lock_guard lock(mutex_);
    if (const auto found = machines_.find(id); found != machines_.end()) found->second.runs = false;
    return {};
  }
  Result<MachineState> state(const std::string& id) override {
    const std::lock_guard lock(mutex_);
    const auto found = machines_.find(id);
    if (found == machines_.end()) return fail(ErrorKind::not_found, id + " is not known here");
    return found->second.runs ? MachineState::running : MachineState::ended;
  }
  Result<void> resume(const std::string& id) override { return reset(id); }

  Result<void> attach_disk(const std::string& id, const Disk& disk) override {
    return attach(id, disk.volume_id).and_then([&] {
      return if_running(id, [&](Machine& machine) {
        machine.generations[disk.volume_id] = disk.generation;
        return Result<void>{};
      });
    });
  }
  Result<void> detach_disk(const std::string& id, const std::string& volume_id, bool, milliseconds) override {
    return detach(id, volume_id);
  }
  Result<milliseconds> switch_disks(const std::string& id, const std::vector<Disk>& overlays) override {
    Result<milliseconds> switched = milliseconds(0);
    const auto done = if_running(id, [&](Machine& machine) -> Result<void> {
      for (const auto& overlay : overlays)
        if (machine.devices.count(overlay.volume_id) == 0) return fail(ErrorKind::not_found, id + " has no disk " + overlay.volume_id);
      for (const auto& overlay : overlays) machine.generations[overlay.volume_id] = overlay.generation;
      return {};
    });
    if (!done) switched = fail(done.error());
    return switched;
  }
  Result<std::int64_t> disk_generation(const std::string& id, const std::string& volume_id) override {
    std::int64_t generation = 0;
    const auto done = if_running(id, [&](Machine& machine) -> Result<void> {
      if (machine.devices.count(volume_id) == 0) return fail(ErrorKind::not_found, id + " has no disk " + volume_id);
      generation = machine.generations[volume_id];
      return {};
    });
    if (!done) return fail(done.error());
    return generation;
  }
  Result<void> fold_disk(const std::string& id, const std::string& volume_id, const std::string&, const std::string&,
                         std::uint64_t) override {
    return disk_generation(id, volume_id).map([](std::int64_t) {});
  }
  Result<void> resize_disk(const std::string& id, const std::string& volume_id, std::uint64_t) override {
    return if_running(id, [&](Machine& machine) -> Result<void> {
      if (machine.devices.count(volume_id) == 0) return fail(ErrorKind::not_found, id + " has no disk " + volume_id);
      return {};
    });
  }
  Result<void> attach_nic(const std::string& id, Nic nic) override { return attach(id, nic.interface_id); }
  Result<void> detach_nic(const std::string& id, const std::string& interface_id, bool, milliseconds) override {
    return detach(id, interface_id);
  }

  Result<Console> console(const std::string& id, size_t limit) override {
    const std::lock_guard lock(mutex_);
    const auto found = machines_.find(id);
    if (found == machines_.end()) return fail(ErrorKind::not_found, id + " has no console");
    const auto text =
        "Simulation: " + id + " is not a real machine. It pretends to have started at " + format_iso8601(found->second.started) + ".\r\n";
    return Console{text.size() > limit ? text.substr(text.size() - limit) : text, found->second.started};
  }
  Result<Picture> screenshot(const std::string& id) override {
    if (auto runs = if_running(id, [](Machine&) { return Result<void>{}; }); !runs) return fail(runs.error());
    return simulated_screen();
  }
  Result<void> press_key(const std::string& id) override { return reset(id); }
  Result<void> forget(const std::string& id) override {
    const std::lock_guard lock(mutex_);
    const auto found = machines_.find(id);
    if (found == machines_.end()) return {};
    if (found->second.runs) return fail(ErrorKind::refused, id + " still runs");
    machines_.erase(found);
    return {};
  }
  Result<void> forget_run(const std::string& id) override { return forget(id); }
  unsigned user_of(const std::string&) const override { return ::geteuid(); }

 private:
  struct Machine {
    bool runs = false;
    Time started{};
    std::set<std::string> devices;
    std::map<std::string, std::int64_t> generations;  // by volume id
  };

  static tl::unexpected<Error> absent(const std::string& id) { return fail(ErrorKind::not_found, id + " does not run"); }
  Result<void> if_running(const std::string& id, const std::function<Result<void>(Machine&)>& act) {
    const std::lock_guard lock(mutex_);
    const auto found = machines_.find(id);
    if (found == machines_.end() || !found->second.runs) return absent(id);
    return act(found->second);
  }
  Result<void> attach(const std::string& id, const std::string& device) {
    return if_running(id, [&](Machine& machine) -> Result<void> {
      if (!machine.devices.insert(device).second) return fail(ErrorKind::exists, device + " is already attached to " + id);
      return {};
    });
  }
  Result<void> detach(const std::string& id, const std::string& device) {
    return if_running(id, [&](Machine& machine) {
      machine.devices.erase(device);
      return Result<void>{};
    });
  }

  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Machine> machines_;
  Reporter reporter_;
};

}  // namespace

std::unique_ptr<Hypervisor> make_simulated_hypervisor(const Clock& clock) { return std::make_unique<SimulatedHypervisor>(clock); }

}  // namespace brume::compute
