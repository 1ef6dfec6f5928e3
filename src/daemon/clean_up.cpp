#include "daemon/clean_up.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <set>

#include <fmt/format.h>

#include "base/descriptor.hpp"
#include "base/files.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "engines/compute/hypervisor.hpp"
#include "engines/network/network_engine.hpp"

namespace brume::daemon {
namespace {

namespace fs = std::filesystem;

// The lock that a daemon holds on its state: no other daemon starts while we hold it.
Result<Descriptor> lock_home(const std::string& home) {
  const auto path = home + "/state.db.lock";
  Descriptor lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return fail_system("cannot open " + path, errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return fail_system("cannot lock " + path, errno);
  const auto holder = read_file(path, 64);
  const auto process = holder ? parse_integer(trim(*holder)) : std::nullopt;
  // A process that was about to be started by a daemon that died may still hold it, for the moment until its exec.
  const bool is_left_over = process && *process > 0 && ::kill(static_cast<pid_t>(*process), 0) != 0 && errno == ESRCH;
  if (is_left_over && ::flock(lock.get(), LOCK_EX) == 0) return lock;
  return fail(ErrorKind::exists,
              fmt::format("a daemon has {} (process {}) but does not answer; end it first: SIGTERM, or SIGKILL when it does "
                          "not obey",
                          home, process ? std::to_string(*process) : "unknown"));
}

bool has_folders(const std::string& place) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(place, ignored))
    if (entry.is_directory(ignored)) return true;
  return false;
}

// A simulation, or a home that never started, has nothing to end.
bool may_hold(const std::string& home) {
  return path_exists(home + "/network/mark") || has_folders(home + "/machines") || has_folders(home + "/disk-servers") ||
         has_folders(home + "/regions");
}

// As Controller::power_off, but without records to update.
Result<std::vector<std::string>> end_machines(const std::string& home, const Clock& clock) {
  if (!has_folders(home + "/machines") && !has_folders(home + "/disk-servers")) return std::vector<std::string>();
  std::mutex mutex;
  std::condition_variable ended;
  std::set<std::string> heard;  // machines that were reported as ended
  // Nothing is started, so it does not matter which accelerator machines could use.
  auto hypervisor = compute::make_qemu_hypervisor({.folder = home + "/machines", .accelerator = "tcg"}, clock);
  if (!hypervisor) return fail(hypervisor.error());

  (*hypervisor)->on_report([&](const compute::MachineReport& report) {
    if (report.event != compute::MachineEvent::guest_shutdown && report.event != compute::MachineEvent::died) return;
    const std::lock_guard lock(mutex);
    heard.insert(report.id);
    ended.notify_all();
  });
  auto running = (*hypervisor)->recover();
  if (!running) return fail(running.error());
  for (const auto& id : *running) [[maybe_unused]] const auto pressed = (*hypervisor)->press_power_button(id);
  {
    std::unique_lock lock(mutex);
    const auto is_down = [&] { return std::all_of(running->begin(), running->end(), [&](const auto& id) { return heard.contains(id); }); };
    ended.wait_for(lock, power_off_patience, is_down);
  }
  Result<void> done;
  for (const auto& id : *running) {
    auto gone = (*hypervisor)->kill(id);
    if (gone) gone = (*hypervisor)->forget_run(id);
    if (!gone) done = fail(gone.error().within("cannot end " + id));
  }
  // Must be destroyed before the variables that its callback uses.
  hypervisor->reset();
  if (!done) return fail(done.error());
  return std::move(*running);
}

Result<void> clean_up_region(const Configuration& c, const Clock& clock, CleanedUp& all) {
  auto machines = end_machines(c.home, clock);
  if (!machines) return fail(machines.error());
  all.machines.insert(all.machines.end(), machines->begin(), machines->end());
  const auto networks = network::remove_host_network({c.path("network"), c.public_pool, c.region, c.uplink, c.resolver, c.ipv6_pool});
  if (!networks) return fail(networks.error());
  all.networks |= *networks;
  // Nobody answers at that socket any more.
  ::unlink(c.path("admin.sock").c_str());
  return {};
}

}  // namespace

std::string CleanedUp::describe() const {
  std::string text;
  if (!machines.empty())
    text = fmt::format("ended {} machine{} ({})", machines.size(), machines.size() == 1 ? "" : "s", fmt::join(machines, ", "));
  if (networks) text += std::string(text.empty() ? "" : " and ") + "took what was left of its networks off the host";
  return text;
}

Result<CleanedUp> clean_up(const Configuration& configuration) {
  CleanedUp all;
  if (!may_hold(configuration.home)) return all;
  if (::geteuid() != 0) return fail(ErrorKind::refused, "only root can end the machines of " + configuration.home);
  const auto lock = lock_home(configuration.home);
  if (!lock) return fail(lock.error());
  const SystemClock clock;
  if (auto done = clean_up_region(configuration, clock, all); !done) return fail(done.error());
  // All regions that exist on the disk, not only those that today's options name.
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(configuration.path("regions"), ignored)) {
    auto region = configuration;
    region.home = entry.path().string();
    region.public_pool.clear();
    region.ipv6_pool.clear();
    region.uplink.clear();
    region.resolver.clear();
    if (auto done = clean_up_region(region, clock, all); !done) return fail(done.error());
  }
  return all;
}

}  // namespace brume::daemon
