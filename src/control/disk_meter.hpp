// Raw counters of every volume and instance store (STO-013): QEMU's counters are read every few seconds and added up, over restarts of
// machines and daemon. There is a total, and sums for the last periods of five minutes, which the monitoring service will turn into
// metrics: VolumeReadOps … VolumeIdleTime are sums; VolumeQueueLength is the time that requests took divided by the time that was watched.
//
// Totals are kept in a file of their own, written once a minute, separate from the record log. What a machine does between the last reading
// and its death is lost; if its guest turns itself off, nothing is lost.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "engines/compute/hypervisor.hpp"

namespace brume::control {

struct DiskTotals : compute::DiskWork {
  std::uint64_t idle_ns = 0;     // no request was running, for at least this long
  std::uint64_t watched_ns = 0;  // plugged into a running machine

  // The numbers in a fixed order, for code that stores, shows or adds them.
  static constexpr size_t count = 13;
  static const std::vector<std::pair<const char*, std::uint64_t DiskTotals::*>>& members();
  DiskTotals& operator+=(const DiskTotals& other);
};

struct DiskPeriod {
  Time begin;  // a multiple of five minutes
  DiskTotals sums;
};

struct DiskMeasure {
  std::string id;        // "vol-…", or "i-…-ephemeral0" of an instance store
  std::string instance;  // the instance where it was last seen
  DiskTotals totals;
  std::vector<DiskPeriod> periods;  // the newest last, which is not over yet
};

// Threads: all functions may be called from any thread; note never waits.
class DiskMeter {
 public:
  struct Parts {
    std::function<Result<compute::DiskReading>(const std::string& instance_id)> read;
    std::function<std::vector<std::string>()> running;       // instances with a machine
    std::function<std::unordered_set<std::string>()> known;  // volumes and instance stores; the others are forgotten
    const Clock& clock;
    std::string file;  // empty: nothing is kept
  };
  explicit DiskMeter(Parts parts) : parts_(std::move(parts)) {}
  ~DiskMeter();

  // Loads the file, and reads every `pause` from now on.
  void begin(milliseconds pause);
  // Stops the periodic readings; reads a last time and writes the file. May be called again if machines have ended since.
  void stop();

  // Reads an instance's machine now: call it before the machine ends, and before and after a disk leaves it.
  void collect(const std::string& instance_id);
  void note(const std::string& instance_id, const compute::DiskReading& reading);

  std::vector<DiskMeasure> measures() const;

 private:
  // A disk in a machine.
  struct Plug {
    std::string run;  // the run that `last` belongs to
    DiskTotals last;  // QEMU's figures
    std::optional<std::chrono::steady_clock::time_point> seen;
  };
  struct Meter {
    std::string instance;               // the one that reported it last
    std::map<std::string, Plug> plugs;  // by instance; several only with Multi-Attach
    DiskTotals totals;
    std::deque<DiskPeriod> periods;
  };

  void run(milliseconds pause);
  void end_thread();
  void collect_all();
  void load();
  void save();
  void add(Meter& meter, const std::string& instance_id, const std::string& run, const compute::DiskCounters& now,
           std::chrono::steady_clock::time_point taken);

  const Parts parts_;
  std::mutex collecting_;  // held while a machine is asked, so that the last answer is the newest
  mutable std::mutex mutex_;
  std::map<std::string, Meter> meters_;                                 // by volume id
  std::map<std::string, std::set<std::string>> plugged_;                // by instance: the meters that have a plug of it
  std::map<std::string, std::chrono::steady_clock::time_point> taken_;  // the newest reading of each instance
  bool changed_ = false;
  bool keeps_file_ = false;  // the file could not be read, so it is not overwritten
  bool stopping_ = false;
  std::condition_variable stop_asked_;
  std::thread thread_;
};

}  // namespace brume::control
