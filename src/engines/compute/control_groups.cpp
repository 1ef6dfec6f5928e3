#include "engines/compute/control_groups.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <thread>

#include "base/descriptor.hpp"
#include "base/files.hpp"

namespace brume::compute {
namespace {

// Files of the kernel: neither made nor replaced. If it refuses a value, nothing happens.
bool tell(const std::string& path, const std::string& text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// Microseconds of processor time in each period of 100 ms, the kernel's default; the kernel does not accept fewer than 1,000.
std::string limit_text(int version, double processors) {
  constexpr double period = 100'000;
  if (processors <= 0) return version == 2 ? "max 100000" : "-1";
  const auto share = std::to_string(std::max<long long>(1000, std::llround(period * processors)));
  return version == 2 ? share + " 100000" : share;
}

}  // namespace

ControlGroups::ControlGroups(const std::string& mark, const std::string& root) {
  if (path_exists(root + "/cgroup.controllers")) {
    version_ = 2;
    hierarchies_.push_back({root + "/" + mark, "cpu.weight", "cpu.max", 100, 1, 10'000});
    trouble_ = try_limits();
    return;
  }
  // The old hierarchies, one per purpose: processor shares, and the two by which systemd tracks its services.
  if (path_exists(root + "/cpu/cgroup.procs")) {
    version_ = 1;
    hierarchies_.push_back({root + "/cpu/" + mark, "cpu.shares", "cpu.cfs_quota_us", 1024, 2, 262'144});
  }
  trouble_ = try_limits();
  for (const auto* name : {"systemd", "unified"})
    if (path_exists(root + "/" + name + "/cgroup.procs")) hierarchies_.push_back({root + "/" + name + "/" + mark, "", "", 0, 0, 0});
}

// Tries it with an empty group of our own, to see whether the host really lets us.
std::string ControlGroups::try_limits() {
  if (hierarchies_.empty()) return "this host has no control groups for processors";
  const auto& hierarchy = hierarchies_.front();
  const auto group = hierarchy.folder + "/trial";
  std::string trouble;
  const auto made = [](const std::string& folder) { return ::mkdir(folder.c_str(), 0755) == 0 || errno == EEXIST; };
  if (!made(hierarchy.folder) || !made(group))
    trouble = "control groups cannot be made below " + hierarchy.folder;
  else if (version_ == 2 && !tell(hierarchy.folder + "/cgroup.subtree_control", "+cpu"))
    trouble = "the processor controller is not passed on to " + hierarchy.folder;
  else if (!tell(group + "/" + hierarchy.limit_file, limit_text(version_, 1)))
    trouble = hierarchy.folder + " takes no limits of processors";
  ::rmdir(group.c_str());
  ::rmdir(hierarchy.folder.c_str());
  return trouble;
}

// All machines together weigh as much as the host's processors; the kernel's default would be the weight of one program.
void ControlGroups::prepare(const Hierarchy& hierarchy) {
  if (hierarchy.weight_file.empty()) return;
  if (version_ == 2) tell(hierarchy.folder + "/cgroup.subtree_control", "+cpu");
  tell_weight(hierarchy, hierarchy.folder, std::max(1U, std::thread::hardware_concurrency()));
}

void ControlGroups::tell_weight(const Hierarchy& hierarchy, const std::string& group, double processors) {
  const auto share = std::llround(static_cast<double>(hierarchy.weight_of_one) * processors);
  tell(group + "/" + hierarchy.weight_file, std::to_string(std::clamp<long long>(share, hierarchy.least_weight, hierarchy.most_weight)));
}

void ControlGroups::enter(const std::string& id, pid_t process, double weight) {
  const std::lock_guard lock(mutex_);
  left_over_.erase(id);
  for (const auto& hierarchy : hierarchies_) {
    if (::mkdir(hierarchy.folder.c_str(), 0755) == 0) prepare(hierarchy);
    const auto group = hierarchy.folder + "/" + id;
    ::mkdir(group.c_str(), 0755);
    if (!hierarchy.weight_file.empty()) tell_weight(hierarchy, group, weight);
    tell(group + "/cgroup.procs", std::to_string(process));
  }
}

void ControlGroups::limit(const std::string& id, double processors) {
  const std::lock_guard lock(mutex_);
  for (const auto& hierarchy : hierarchies_)
    if (!hierarchy.limit_file.empty()) tell(hierarchy.folder + "/" + id + "/" + hierarchy.limit_file, limit_text(version_, processors));
}

void ControlGroups::leave(const std::string& id) {
  const std::lock_guard lock(mutex_);
  remove(id);
}

void ControlGroups::remove(const std::string& id) {
  bool busy = false;
  for (const auto& hierarchy : hierarchies_) {
    // The kernel may still count a process that has just ended.
    if (::rmdir((hierarchy.folder + "/" + id).c_str()) != 0 && errno == EBUSY) busy = true;
    ::rmdir(hierarchy.folder.c_str());  // stays while another machine is in it
  }
  if (busy)
    left_over_.insert(id);
  else
    left_over_.erase(id);
}

bool ControlGroups::tidy() {
  const std::lock_guard lock(mutex_);
  const auto left = left_over_;
  for (const auto& id : left) remove(id);
  return left_over_.empty();
}

void ControlGroups::tidy_within(std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!tidy() && version_ == 2) {
    std::vector<Descriptor> events;
    std::vector<pollfd> waiting;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& id : left_over_) {
        Descriptor file(::open((hierarchies_.front().folder + "/" + id + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
        if (!file) continue;
        // Read once, because only later changes are reported.
        std::array<char, 256> text{};
        if (::read(file.get(), text.data(), text.size()) <= 0) continue;
        if (std::string_view(text.data()).find("populated 0") != std::string_view::npos) continue;
        waiting.push_back({file.get(), POLLPRI, 0});
        events.push_back(std::move(file));
      }
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (waiting.empty()) return static_cast<void>(tidy());
    if (left <= 0 || ::poll(waiting.data(), waiting.size(), static_cast<int>(left)) <= 0) return;
  }
}

void ControlGroups::sweep() {
  const std::lock_guard lock(mutex_);
  for (const auto& hierarchy : hierarchies_) {
    std::error_code code;
    // The kernel removes only empty groups.
    for (const auto& entry : std::filesystem::directory_iterator(hierarchy.folder, code))
      if (entry.is_directory(code)) ::rmdir(entry.path().c_str());
    ::rmdir(hierarchy.folder.c_str());
  }
}

}  // namespace brume::compute
