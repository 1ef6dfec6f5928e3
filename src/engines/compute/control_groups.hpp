// A control group for each machine, where the host has a hierarchy that we may write to (version 2, or the old one): the guests share
// the processors by their size, and a service manager that ends the daemon's group leaves the machines alone. Without one, all goes
// on without.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace brume::compute {

// Threads: any.
class ControlGroups {
 public:
  // `mark` names the installation ("brume-1a2b3c4d"): only what is below a group of that name is ever made or removed.
  explicit ControlGroups(std::string mark, const std::string& root = "/sys/fs/cgroup");

  void enter(const std::string& id, pid_t process, std::int64_t processors) const;
  // When its process has ended.
  void leave(const std::string& id) const;
  // Removes what leave could not remove at once; false: it still cannot. The daemon calls it every second.
  bool tidy() const;
  // Removes the groups that hold no process any more.
  void sweep() const;

 private:
  struct Hierarchy {
    std::string folder;
    std::string weight_file;
    std::int64_t weight_of_one;
  };
  mutable std::mutex mutex_;  // the last one out removes the common folder: not while another comes in
  mutable std::atomic<bool> left_over_{false};
  std::string mark_;
  std::vector<Hierarchy> hierarchies_;
};

}  // namespace brume::compute
