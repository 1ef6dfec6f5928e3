// Which records are this host's to work on, and whether the host knows all of them.
//
// What is bound to a host (a machine, a file) names it in its record. A reconciler works on what is its own host's and leaves the rest to
// the other hosts' reconcilers. What no record knows is removed only if the records are known to be the newest: a host that is behind
// would remove what was made meanwhile.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "state/store.hpp"

namespace brume::control {

// Whether the log has nothing newer than this World. Empty: always, as with a log that only this process can write (SQLite, which is
// locked). May wait for the log; is called by threads of control only.
using Freshness = std::function<bool(const state::World& world)>;

// Threads: all functions may be called from any thread.
class Ownership {
 public:
  Ownership(std::string host, Freshness is_current) : host_(std::move(host)), is_current_(std::move(is_current)) {}

  template <class Record>  // Instance, Volume, Snapshot, Image: what has a host
  bool mine(const Record& record) const {
    return record.host == host_;
  }
  // Whether there is an instance "account/i-…" and it is another host's.
  bool is_elsewhere(const state::World& world, std::string_view instance_key) const;

  // What a reconciler's key ("kind/account/id") is about.
  enum class Subject : std::uint8_t {
    mine,
    other,   // another host's
    unknown  // no record has it: what is left of it here is to go
  };
  Subject subject_of(const state::World& world, std::string_view key) const;

  bool is_current(const state::World& world) const { return !is_current_ || is_current_(world); }
  const std::string& host() const { return host_; }

 private:
  const std::string host_;
  const Freshness is_current_;
};

}  // namespace brume::control
