// A control group for each machine, where the host has a hierarchy that we may write to (version 2, or the old one): the guests share
// the processors by their size, none gets more than it may, and a service manager that ends the daemon's group leaves the machines
// alone. Without one, all goes on without.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace brume::compute {

// Threads: any.
class ControlGroups {
 public:
  // `mark` names the installation ("brume-1a2b3c4d"): only what is below a group of that name is ever made or removed.
  explicit ControlGroups(const std::string& mark, const std::string& root = "/sys/fs/cgroup");

  // "" when the processors are shared out; else why they are not.
  const std::string& trouble() const { return trouble_; }
  int version() const { return version_; }

  // `weight`: processors that the machine is sure of while all want theirs.
  void enter(const std::string& id, pid_t process, double weight);
  // Most that its machine may use from now on, in processors; 0: no limit.
  void limit(const std::string& id, double processors);
  // When its process has ended.
  void leave(const std::string& id);
  // Removes what leave could not remove at once; false: it still cannot. The daemon calls it every second.
  bool tidy();
  // At the end of the daemon: tidy, and once more as soon as the kernel says that what is left has become empty, at most after `limit`.
  // Only version 2 says so; what stays with the old one, the sweep after the next start removes.
  void tidy_within(std::chrono::milliseconds limit);
  // Removes the groups that hold no process any more.
  void sweep();

 private:
  struct Hierarchy {
    std::string folder;       // of our own group in it
    std::string weight_file;  // empty: says nothing of processors
    std::string limit_file;
    std::int64_t weight_of_one;
    std::int64_t least_weight;
    std::int64_t most_weight;
  };
  std::string try_limits();
  void prepare(const Hierarchy& hierarchy);
  static void tell_weight(const Hierarchy& hierarchy, const std::string& group, double processors);
  void remove(const std::string& id);  // mutex_ held

  std::mutex mutex_;  // the last one out removes the common folder: not while another comes in
  std::vector<Hierarchy> hierarchies_;
  std::string trouble_;
  int version_ = 0;
  std::set<std::string> left_over_;  // left, but the kernel would not let their groups go yet
};

}  // namespace brume::compute
