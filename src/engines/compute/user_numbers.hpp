// The user numbers of one home's machines and disk servers: base + 24 bits of a hash of the id, so that a machine has the same number after
// every restart without a record. If that number is in use, the next free one is taken and kept in <folder>/ID.user: two machines with one
// number could read each other's disks if one of them broke out of its QEMU.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace brume::compute {

// The same in every run and on every host (FNV-1a).
std::uint64_t stable_hash(std::string_view text);

// Whether a process of this host runs as that user: a machine of another home, or of another region.
bool runs_processes(unsigned user);

// Threads: any.
class UserNumbers {
 public:
  using InUse = std::function<bool(unsigned number)>;
  static constexpr unsigned count = 1U << 24;

  // `folders`: each has a folder for every known machine or server; recorded numbers are in the first.
  UserNumbers(std::vector<std::string> folders, unsigned base, InUse in_use = runs_processes);

  // Its number from now on, until it is released.
  unsigned take(const std::string& id);
  // Its number; if it has none yet, the one that it will get unless somebody else takes it before.
  unsigned find(const std::string& id) const;
  // Nothing of it is left.
  void give_back(const std::string& id);

 private:
  unsigned candidate(const std::string& id) const { return base_ + static_cast<unsigned>(stable_hash(id) % count); }
  std::string file(const std::string& id) const { return folders_.front() + "/" + id + ".user"; }

  const std::vector<std::string> folders_;
  const unsigned base_;
  const InUse in_use_;
  mutable std::mutex mutex_;
  std::map<std::string, unsigned> by_id_;
  std::set<unsigned> taken_;
};

}  // namespace brume::compute
