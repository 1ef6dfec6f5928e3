// A control group for each machine, if the host has a hierarchy that we may write to (version 2, or the old one). So guests share the
// processors by their size, none gets more than it may, and a service manager that ends the daemon's group leaves the machines alone.
// Without one, everything works without these limits.
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
  // `mark` names the installation ("brume-1a2b3c4d"): only groups below one of that name are ever made or removed.
  explicit ControlGroups(const std::string& mark, const std::string& root = "/sys/fs/cgroup");

  // "" if processors are shared by size; else the reason why not.
  const std::string& trouble() const { return trouble_; }
  int version() const { return version_; }

  // `weight`: processors that the machine gets even if all machines want theirs.
  void enter(const std::string& id, pid_t process, double weight);
  // The most that its machine may use from now on, in processors; 0: no limit.
  void limit(const std::string& id, double processors);
  // Call when its process has ended.
  void leave(const std::string& id);
  // Removes groups that leave could not remove at once; false: still not possible. The daemon calls it every second.
  bool tidy();
  // At the end of the daemon: removes what can be removed, and retries once the kernel reports that the rest is empty, at most for `limit`.
  // Only version 2 reports that; with the old one, the sweep after the next start removes the rest.
  void tidy_within(std::chrono::milliseconds limit);
  // Removes the groups that no longer hold a process.
  void sweep();

 private:
  struct Hierarchy {
    std::string folder;       // of our own group in it
    std::string weight_file;  // empty: does not control processors
    std::string limit_file;
    std::int64_t weight_of_one;
    std::int64_t least_weight;
    std::int64_t most_weight;
  };
  std::string try_limits();
  void prepare(const Hierarchy& hierarchy);
  static void tell_weight(const Hierarchy& hierarchy, const std::string& group, double processors);
  void remove(const std::string& id);  // call with mutex_ held

  std::mutex mutex_;  // the last one to leave removes the common folder, but not while another one enters
  std::vector<Hierarchy> hierarchies_;
  std::string trouble_;
  int version_ = 0;
  std::set<std::string> left_over_;  // left, but the kernel did not remove their groups yet
};

}  // namespace brume::compute
