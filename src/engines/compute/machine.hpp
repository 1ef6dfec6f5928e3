// One running QEMU, or qemu-storage-daemon (disk_servers.hpp): its process, its monitor, and what its events mean.
//
// Lock rule: mutex_ is held to read or change members, never during a call that waits or calls out.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/descriptor.hpp"
#include "base/result.hpp"
#include "engines/compute/event_loop.hpp"
#include "engines/compute/hypervisor.hpp"
#include "engines/compute/machine_folder.hpp"
#include "engines/compute/password_watch.hpp"
#include "engines/compute/qmp_client.hpp"

namespace brume::compute {

// Threads: any, unless stated otherwise.
class Machine final : public std::enable_shared_from_this<Machine> {
 public:
  struct Callbacks {
    std::function<void(MachineReport)> report;
    std::function<void(const std::string& id)> gone;  // the process has ended, for whatever reason
  };
  Machine(EventLoop& loop, std::string id, MachineFolder folder, Callbacks callbacks);
  ~Machine();

  const std::string& id() const { return id_; }
  const MachineFolder& folder() const { return folder_; }

  // Takes charge of the process and watches for its end.
  Result<void> watch(const ProcessName& process);
  // Leaves process and monitor alone from now on.
  void release();
  // The monitor, connected if necessary.
  Result<std::shared_ptr<QmpClient>> monitor(milliseconds limit = seconds(2));
  // Runs a command over the monitor.
  Result<QmpMessage> execute(std::string_view name, std::string_view arguments = {}, milliseconds limit = seconds(10),
                             int handed_over = -1);
  // The processors run for the first time: events are reported from here on.
  void started();
  // Asks a machine from before this daemon for its state; what was missed is reported on the loop's thread.
  void resumed_with(const std::string& status);

  // Identifies this run: the next start has another value.
  std::string run() const;
  MachineState state() const;
  bool ended() const;
  // Ends it without a report: by command while there is time, then by force. timed_out if even that did not help.
  Result<void> end(milliseconds grace);

  // Asks the guest to release a device. timed_out if it did not within `limit`; succeeds if the device is not there.
  Result<void> unplug(const std::string& device, milliseconds limit);

  // The content of its screen; see Hypervisor.
  Result<Picture> screenshot();
  Result<void> press_key();
  // Aborts a block job and waits until it is gone; succeeds if there is none.
  Result<void> end_job(const std::string& job, milliseconds limit);

  // Removes the export by which a disk's server lets a machine in, with its connections; succeeds if there is none.
  Result<void> remove_export(const std::string& name, milliseconds limit);

  // True: it has ended within the limit.
  bool wait_for_end(milliseconds limit);

  // Call on the loop's thread.
  void on_event(const QmpMessage& event);
  void on_process_end();
  void on_tick();

  // Call from one thread at a time, which may wait for the disk (console_reader.hpp). Searches what the guest wrote to its console since
  // the last call.
  void watch_console();
  // Limits the size of console and log.
  void bound_files();

 private:
  void report(MachineEvent event, std::string detail);
  // Makes QEMU exit; records its disk counters first.
  static void send_away(QmpClient& qmp);
  void signal_process(int number) const;

  EventLoop& loop_;
  const std::string id_;
  const MachineFolder folder_;
  const Callbacks callbacks_;

  std::mutex connecting_;  // QEMU talks to one client at a time; held while connecting and greeting
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Descriptor process_;  // pidfd
  std::string run_;
  std::string last_counters_;  // QEMU's answer; empty: none
  std::uint64_t process_watch_ = 0;
  std::shared_ptr<QmpClient> qmp_;
  bool reporting_ = false;  // started, and not being ended by us
  bool halted_ = false;
  bool disk_trouble_ = false;
  bool ended_ = false;
  std::optional<std::string> shutdown_;  // how the guest turned itself off
  std::optional<std::string> fault_;     // QEMU halted the guest for good
  std::chrono::steady_clock::time_point ending_since_{};
  std::chrono::steady_clock::time_point last_reset_{};
  std::chrono::steady_clock::time_point trouble_logged_{};
  std::set<std::string> unplugged_;
  std::set<std::string> ended_jobs_;  // disks and exports

  // Used by the console's reader only.
  PasswordWatch passwords_;
  std::uint64_t console_seen_ = 0;  // position in the console file
};

}  // namespace brume::compute
