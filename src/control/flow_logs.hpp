// Flow logs: what the network engine counted is added up for each log over its aggregation interval, then written as a compressed file
// below the home's folder flow-logs, named as EC2 names its objects in a bucket.
//
// What is not written yet is in memory only. The first file after a start therefore says SKIPDATA.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/time.hpp"
#include "control/ownership.hpp"
#include "engines/network/network_engine.hpp"
#include "state/store.hpp"

namespace brume::control {

struct FlowLogPlace {
  std::string folder;
  std::string region;
};

// Threads: follow from any thread; the others by one at a time.
class FlowLogWriter {
 public:
  using Wake = std::function<void(const std::string& key, milliseconds delay)>;
  FlowLogWriter(state::Store& store, network::NetworkEngine& network, const Ownership& ownership, const Clock& clock, FlowLogPlace place,
                Wake wake)
      : store_(store), network_(network), ownership_(ownership), clock_(clock), place_(std::move(place)), wake_(std::move(wake)) {}

  void recover();
  void follow(const state::Commit& commit);
  // Takes what was counted; writes what is due. A log whose resource is gone goes too.
  void reconcile();
  // Writes what there is, due or not.
  void finish();

 private:
  // Intervals that wait for a disk that can be written; then the oldest is lost. An interval has up to 20,000 lines, some 3 MiB.
  static constexpr size_t late_limit = 32;

  struct Sum {
    std::int64_t packets = 0;
    std::int64_t bytes = 0;
    Time first{};
    Time last{};
  };
  using Way = std::tuple<std::string, network::FlowAddresses, bool, bool>;  // interface, addresses, egress, accepted
  // One interval of a log.
  struct Window {
    state::FlowLog log;
    Time begin{};
    Time end{};
    std::map<Way, Sum> flows{};
    std::map<std::string, state::Pointer<state::NetworkInterface>> interfaces{};  // by id; as they were last seen in it
    bool complete = true;
  };

  void follow_logs(const state::World& world, Time now);
  void count(const state::World& world, Time now);
  void add(Window& window, const network::FlowRecord& flow, Time now) const;
  void end(Window& window);
  // Tries again what could not be written.
  void write_late();
  Result<void> write(const Window& window) const;
  void note(const state::FlowLog& log, const std::string& error);
  void drop(const state::FlowLog& log);

  state::Store& store_;
  network::NetworkEngine& network_;
  const Ownership& ownership_;
  const Clock& clock_;
  const FlowLogPlace place_;
  const Wake wake_;
  std::map<std::string, Window> windows_;  // by key of the log
  std::deque<Window> late_;                // ended, and not written yet; the oldest first
  Time counted_{};                         // when flows were last taken
};

// The id of the VPC that the log's resource is or is in; empty: the resource is gone.
std::string vpc_of(const state::World& world, const state::FlowLog& log);

}  // namespace brume::control
