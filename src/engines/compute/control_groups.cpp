#include "engines/compute/control_groups.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/descriptor.hpp"
#include "base/files.hpp"

namespace brume::compute {
namespace {

// Files of the kernel: neither made nor replaced. What it does not want is not done.
bool tell(const std::string& path, const std::string& text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

}  // namespace

ControlGroups::ControlGroups(const std::string& mark, const std::string& root) {
  if (path_exists(root + "/cgroup.controllers")) {
    hierarchies_.push_back({root + "/" + mark, "cpu.weight", 100});
    return;
  }
  // The old hierarchies, one for each purpose: the share of the processors, and the two by which systemd knows its services.
  if (path_exists(root + "/cpu/cgroup.procs")) hierarchies_.push_back({root + "/cpu/" + mark, "cpu.shares", 1024});
  if (path_exists(root + "/systemd/cgroup.procs")) hierarchies_.push_back({root + "/systemd/" + mark, "", 0});
  if (path_exists(root + "/unified/cgroup.procs")) hierarchies_.push_back({root + "/unified/" + mark, "", 0});
}

void ControlGroups::enter(const std::string& id, pid_t process, std::int64_t processors) {
  const std::lock_guard lock(mutex_);
  left_over_.erase(id);
  for (const auto& hierarchy : hierarchies_) {
    if (::mkdir(hierarchy.folder.c_str(), 0755) == 0 && hierarchy.weight_file == "cpu.weight")
      tell(hierarchy.folder + "/cgroup.subtree_control", "+cpu");
    const auto group = hierarchy.folder + "/" + id;
    ::mkdir(group.c_str(), 0755);
    if (!hierarchy.weight_file.empty()) {
      const auto weight = hierarchy.weight_of_one * std::clamp<std::int64_t>(processors, 1, 100);
      tell(group + "/" + hierarchy.weight_file, std::to_string(weight));
    }
    tell(group + "/cgroup.procs", std::to_string(process));
  }
}

void ControlGroups::leave(const std::string& id) {
  const std::lock_guard lock(mutex_);
  remove(id);
}

void ControlGroups::remove(const std::string& id) {
  bool busy = false;
  for (const auto& hierarchy : hierarchies_) {
    // The kernel may count a process that has just ended for a moment more.
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

void ControlGroups::sweep() {
  const std::lock_guard lock(mutex_);
  for (const auto& hierarchy : hierarchies_) {
    std::error_code code;
    // The kernel lets only empty ones go.
    for (const auto& entry : std::filesystem::directory_iterator(hierarchy.folder, code))
      if (entry.is_directory(code)) ::rmdir(entry.path().c_str());
    ::rmdir(hierarchy.folder.c_str());
  }
}

}  // namespace brume::compute
