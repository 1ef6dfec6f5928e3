// Machines that run guests. One implementation drives QEMU over QMP; one only pretends (simulation mode).
//
// Only src/control calls this. Machines are named by instance id. A machine outlives the daemon: after a restart the engine finds the
// running ones again (recover), with their console and their events.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/descriptor.hpp"
#include "base/picture.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "engines/compute/cpu_plan.hpp"
#include "engines/compute/disk_counters.hpp"
#include "engines/compute/disk_limits.hpp"

namespace brume::compute {

// A file below others; a machine only reads it.
struct BaseFile {
  std::string file;
  bool encrypted = false;
};

struct Disk {
  std::string volume_id;    // "vol-0123456789abcdef0"; without its dash also the serial the guest sees (a virtio serial has 20 characters)
  std::string file;         // absolute path, readable and writable by the machine's user
  std::string format;       // "qcow2", "raw"
  std::string device = {};  // "/dev/sdf": the guest finds it by disk_number(device), see device_names.hpp; may be empty
  std::int64_t generation = 0;       // tells apart the files that a volume has one after another, one for each snapshot
  std::vector<BaseFile> bases = {};  // all files below, the nearest first
  bool encrypted = false;            // whether `file` is encrypted
  DiskLimits limits = {};            // what its type promises
  // Set if other machines may have the disk too: then a server has its files open, and this machine is one of its clients. Empty: the
  // machine has them open itself.
  std::string served_to = {};
  std::string key = {};  // opens the encrypted files. Never shown, logged or put on a command line
};

struct Nic {
  std::string interface_id;
  std::string mac;
  Descriptor tap;  // open /dev/net/tun queue with vnet headers, from the network engine; handed over at start
};

struct MachineSpec {
  std::string id;       // instance id
  std::string uuid;     // "ec2…" in UUID form for the guest's firmware tables (cloud-init looks for it)
  std::string product;  // product name in the firmware tables: the instance type ("t2.micro"); may be empty
  std::int64_t memory_mib = 512;
  std::int64_t processors = 1;
  CpuPlan cpu;
  std::string kernel;  // path; empty: the disk's own boot loader
  std::string ramdisk;
  std::string kernel_arguments;
  std::vector<Disk> disks;  // the root first
  std::vector<Nic> nics;    // by device index
};

enum class MachineState { running, paused, ended };

enum class MachineEvent {
  guest_shutdown,  // the guest turned itself off (or answered the power button); the machine has ended
  guest_reset,     // the guest rebooted; the machine runs on
  died,            // the process ended in any other way; detail: its last words on standard error
  io_error,        // a disk failed or is full; the machine is paused
  resumed,
  disk_folded,      // fold_disk has ended; detail: the volume's name without its dash
  device_gone,      // the guest released a disk or card later than requested; detach_… finishes the detachment
  password_posted,  // the guest wrote a sealed administrator's password to its serial port; detail is the password, in base64
};

struct MachineReport {
  std::string id;
  MachineEvent event;
  std::string detail;
  std::optional<DiskReading> counters = {};  // for guest_shutdown: what the disks had done by then
};

// A disk that is `served_to` machines is addressed by its volume's id wherever a machine's id is expected: its server has its files open
// and does snapshots, growth, folding and limits. It runs from the first machine to the last.
//
// Threads: all functions may be called from any thread. The caller makes calls of start, kill, forget and reset for one machine one after
// another, and likewise calls for one disk or card; calls for different disks of a machine may run at once. A call returns when its effect
// has happened, within the named limit.
class Hypervisor {
 public:
  virtual ~Hypervisor() = default;

  // "kvm", "tcg" or "simulated", with the reason, for `brume status` and the log.
  struct Description {
    std::string accelerator;
    std::string reason;
    std::string processor_shares = {};  // how machines are held to their CpuPlan, or why they are not
  };
  virtual Description describe() const = 0;

  // Call before anything else. Reports come on the engine's threads, one at a time; the receiver must not wait. Empty: nobody is told from
  // now on. When this returns, the previous receiver is not running and will never be called again (base/receiver.hpp).
  virtual void on_report(std::function<void(MachineReport)> receiver) = 0;
  // Finds the machines that were running before this daemon; returns their ids. How machines ended meanwhile (guest_shutdown, died) is
  // reported, and reported again at every recover until forget or the next start. Nothing is reported for machines that went down with the
  // host. A paused machine is reported too (io_error). Machines whose start had not finished are removed.
  virtual Result<std::vector<std::string>> recover() = 0;

  // Starts the machine; returns when the guest's processors run. On an error nothing of it is left. ≤ 30 s.
  virtual Result<void> start(MachineSpec spec) = 0;
  // Presses the power button; a guest_shutdown report follows if the guest obeys.
  virtual Result<void> press_power_button(const std::string& id) = 0;
  // Resets the machine, like its reset button.
  virtual Result<void> reset(const std::string& id) = 0;
  // Ends the machine at once; succeeds also if it does not run. No report follows.
  virtual Result<void> kill(const std::string& id) = 0;
  virtual Result<MachineState> state(const std::string& id) = 0;
  virtual Result<void> resume(const std::string& id) = 0;
  // Stops its processors and completes its disk requests, until resume.
  virtual Result<void> pause(const std::string& /*id*/) { return {}; }

  // Another plan for a running machine; ignored if it does not run.
  virtual void change_cpu(const std::string& /*id*/, const CpuPlan& /*plan*/) {}

  // `exists`: it is plugged in already.
  virtual Result<void> attach_disk(const std::string& id, const Disk& disk) = 0;
  // For a disk of the machine that is served to it: makes sure that the server runs and lets the machine in, whatever happened to it.
  virtual Result<void> serve_disk(const std::string& /*id*/, const Disk& /*disk*/) { return {}; }
  // Asks the guest to release it and waits; timed_out if it did not within `limit` (force: takes it anyway). A device_gone report follows
  // if it is released later. Succeeds if it is not there; not_found if the machine does not run.
  virtual Result<void> detach_disk(const std::string& id, const std::string& volume_id, bool force, milliseconds limit) = 0;
  // From one instant on the machine writes to `overlays`, empty files over those that it writes to now, which never change again. All
  // switch or none. Returns the longest time that the machine's disks stood still.
  virtual Result<milliseconds> switch_disks(const std::string& id, const std::vector<Disk>& overlays) = 0;
  // Of the file that the machine writes to. not_found: the machine does not run or has no such disk.
  virtual Result<std::int64_t> disk_generation(const std::string& id, const std::string& volume_id) = 0;
  // Copies into the disk's own file, in the background, everything between it and `base` (empty: all), so that it stands on `base` alone.
  // The file's header will say `base_name`. A disk_folded report follows in any case. Snapshot, growth and detachment of the disk abort it,
  // which harms nothing. `exists`: one is running.
  virtual Result<void> fold_disk(const std::string& id, const std::string& volume_id, const std::string& base, const std::string& base_name,
                                 std::uint64_t bytes_per_second) = 0;
  // Its progress. not_found: none is running.
  virtual Result<int> fold_percent(const std::string& id, const std::string& /*volume_id*/) {
    return fail(ErrorKind::not_found, id + " folds nothing");
  }
  // Limits the disk from now on. not_found: the machine does not run or has no such disk.
  virtual Result<void> limit_disk(const std::string& /*id*/, const std::string& /*volume_id*/, const DiskLimits& /*limits*/) { return {}; }
  // The guest sees the new size; a disk can only grow.
  virtual Result<void> resize_disk(const std::string& id, const std::string& volume_id, std::uint64_t bytes) = 0;
  // What the disks of a running machine have done since it started. not_found: it does not run, or (simulation) nothing is counted.
  virtual Result<DiskReading> disk_counters(const std::string& id) { return fail(ErrorKind::not_found, id + " counts nothing"); }
  virtual Result<void> attach_nic(const std::string& id, Nic nic) = 0;
  virtual Result<void> detach_nic(const std::string& id, const std::string& interface_id, bool force, milliseconds limit) = 0;

  // The last `limit` bytes that the guest wrote to its serial port since its last start (kept after its death until forget), and when.
  struct Console {
    std::string text;
    Time written{};
  };
  virtual Result<Console> console(const std::string& id, size_t limit) = 0;
  // The content of the machine's screen. `refused`: it has none.
  virtual Result<Picture> screenshot(const std::string& id) = 0;
  // Presses and releases a key that types nothing, to wake a dark screen.
  virtual Result<void> press_key(const std::string& id) = 0;
  // Removes for good what an ended machine left (folder, console, log).
  virtual Result<void> forget(const std::string& id) = 0;
  // The same, but keeps what its next start needs: its processor credits.
  virtual Result<void> forget_run(const std::string& id) = 0;

  // The user number that this machine's process runs as, which owns its disk files.
  virtual unsigned user_of(const std::string& id) const = 0;
};

struct QemuConfiguration {
  std::string folder;       // "<home>/machines": one folder a machine: pid file, QMP socket, console, log. The machines' users
                            // must be able to pass through every folder above it (mode 0711)
  std::string accelerator;  // "auto": probe; "kvm", "tcg": as given
  unsigned user_base = 0x60000000;
  bool pause_on_disk_trouble = true;  // false: the guest gets an I/O error if a disk of the host fails or is full
};
Result<std::unique_ptr<Hypervisor>> make_qemu_hypervisor(const QemuConfiguration& configuration, const Clock& clock);

// Pretends: starts, stops and resets at once, remembers what it was told, and writes a console text that says so.
std::unique_ptr<Hypervisor> make_simulated_hypervisor(const Clock& clock);

// Boots a few instructions under /dev/kvm with a time limit. The reason says what happened in either case.
struct KvmProbe {
  bool works = false;
  std::string reason;
};
KvmProbe probe_kvm(const std::string& scratch_folder);

}  // namespace brume::compute
