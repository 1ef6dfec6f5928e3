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

bool has_processes(const std::string& group) { return !read_file(group + "/cgroup.procs").value_or("").empty(); }

}  // namespace

ControlGroups::ControlGroups(std::string mark, const std::string& root) : mark_(std::move(mark)) {
  if (path_exists(root + "/cgroup.controllers")) {
    hierarchies_.push_back({root, "cpu.weight", 100});
    return;
  }
  // The old hierarchies, one for each purpose: the share of the processors, and the two by which systemd knows its services.
  if (path_exists(root + "/cpu/cgroup.procs")) hierarchies_.push_back({root + "/cpu", "cpu.shares", 1024});
  for (const auto* name : {"/systemd", "/unified"})
    if (path_exists(root + name + "/cgroup.procs")) hierarchies_.push_back({root + name, "", 0});
}

void ControlGroups::enter(const std::string& id, pid_t process, std::int64_t processors) const {
  const std::lock_guard lock(mutex_);
  for (const auto& hierarchy : hierarchies_) {
    const auto ours = hierarchy.folder + "/" + mark_;
    if (::mkdir(ours.c_str(), 0755) == 0 && hierarchy.weight_file == "cpu.weight") tell(ours + "/cgroup.subtree_control", "+cpu");
    const auto group = ours + "/" + id;
    ::mkdir(group.c_str(), 0755);
    if (!hierarchy.weight_file.empty()) {
      const auto weight = hierarchy.weight_of_one * std::clamp<std::int64_t>(processors, 1, 100);
      tell(group + "/" + hierarchy.weight_file, std::to_string(weight));
    }
    tell(group + "/cgroup.procs", std::to_string(process));
  }
}

void ControlGroups::leave(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  for (const auto& hierarchy : hierarchies_) {
    const auto ours = hierarchy.folder + "/" + mark_;
    // The kernel may count a process that has just ended for a moment more.
    if (::rmdir((ours + "/" + id).c_str()) != 0 && errno == EBUSY) left_over_ = true;
    ::rmdir(ours.c_str());  // stays while another machine is in it
  }
}

bool ControlGroups::tidy() const {
  if (left_over_.exchange(false)) sweep();
  return !left_over_;
}

void ControlGroups::sweep() const {
  const std::lock_guard lock(mutex_);
  for (const auto& hierarchy : hierarchies_) {
    const auto ours = hierarchy.folder + "/" + mark_;
    std::error_code code;
    // The kernel lets only empty ones go.
    for (const auto& entry : std::filesystem::directory_iterator(ours, code))
      if (entry.is_directory(code) && ::rmdir(entry.path().c_str()) != 0 && errno == EBUSY && !has_processes(entry.path().string()))
        left_over_ = true;
    ::rmdir(ours.c_str());
  }
}

}  // namespace brume::compute
