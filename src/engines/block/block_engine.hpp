// Where volumes and snapshots keep their bytes. One implementation keeps qcow2 files and lets QEMU's tools do the work; one only pretends
// (simulation mode). Ceph RBD fits behind the same few calls.
//
// Only src/control calls this. Every call has its whole effect or none, also across a crash: files are made under a temporary name and
// renamed, and sweep() removes half-made ones after a crash. A call that fails because of the disk (EIO, no room, no descriptors) may have
// had its effect, which then is not durable; repeating the call finishes it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace brume::block {

// Nothing new is made if less room than this is left, because what runs needs some to continue.
inline constexpr std::uint64_t least_free = 256ULL << 20;

// What QEMU needs to open a volume.
struct OpenVolume {
  struct Base {
    std::string file;
    bool encrypted = false;
  };
  std::string file;
  std::string format;
  bool encrypted = false;
  std::int64_t generation = 0;  // identifies the file: after a snapshot a volume continues in another one
  std::vector<Base> bases;      // the files below it, the nearest first
};

struct Usage {
  std::uint64_t virtual_bytes = 0;    // the size that the guest sees
  std::uint64_t allocated_bytes = 0;  // the size on the host
};

// A part of a volume.
struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  bool operator==(const Extent&) const = default;
};

enum class StoreContent { ext3, swap };

// Where two snapshots may differ.
struct Difference {
  bool related = false;         // one was made on top of the other, or both on top of the same snapshot
  std::vector<Extent> extents;  // in order and disjoint; never less than what differs
};

// One volume or snapshot with its cost, for the operator.
struct Holding {
  std::string id;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t own_bytes = 0;     // on the disk for it alone
  std::uint64_t shared_bytes = 0;  // on the disk, shared with others
  std::int64_t depth = 0;          // how many files a read may have to search
};

// A volume that could stand on fewer files: some serve nobody else since a snapshot was deleted, or there are too many.
struct Fold {
  std::string volume_id;
  std::string base;         // the file that it should stand on directly; empty: none
  std::string base_name;    // as the volume's own file names it
  std::uint64_t bytes = 0;  // at most this much is copied
};

// What a sweep did.
struct Swept {
  std::vector<std::string> removed;
  std::vector<std::string> set_aside;
};

// How a long operation runs beside other work.
struct Pace {
  std::uint64_t bytes_per_second = 0;  // 0: as fast as possible
  std::function<void(int percent)> progress;
  std::stop_token stop;  // aborted when a stop is requested
};

// Threads: all functions may be called from any thread; the caller makes calls for one volume or snapshot one after another. `key` is the
// secret that opens an encrypted volume; empty: the volume is not encrypted.
class BlockEngine {
 public:
  virtual ~BlockEngine() = default;

  // An empty volume. `exhausted` if the disk is full.
  virtual Result<void> create(const std::string& volume_id, std::uint64_t bytes, const std::string& key) = 0;
  // An instance store: a disk of the host with an empty file system or swap space (STO-082, STO-084). "ephemeral0" and "ephemeral1" of an
  // instance get different file systems, so that they can be told apart by them.
  virtual Result<void> create_store(const std::string& id, std::uint64_t bytes, StoreContent /*content*/, const std::string& /*name*/) {
    return create(id, bytes, {});
  }
  // A volume with a snapshot's content, in constant time whatever the size. `bytes` 0 or less than the snapshot's size: the snapshot's
  // size. An encrypted snapshot needs the key that it was made with. If a key is given for a snapshot that is not encrypted, all of it is
  // copied, so that none of the volume's content lies on the disk unencrypted for it.
  virtual Result<void> clone(const std::string& volume_id, const std::string& snapshot_id, std::uint64_t bytes, const std::string& key) = 0;
  // Succeeds also if it does not exist.
  virtual Result<void> remove_volume(const std::string& volume_id) = 0;
  // Volumes and snapshots that were made from it stay whole.
  virtual Result<void> remove_snapshot(const std::string& snapshot_id) = 0;
  // How to open it; from now on its file belongs to this user number.
  virtual Result<OpenVolume> open(const std::string& volume_id, unsigned user) = 0;
  virtual Result<Usage> usage(const std::string& volume_id) = 0;
  // Makes it larger; only while no machine has it open.
  virtual Result<void> resize(const std::string& volume_id, std::uint64_t bytes, const std::string& key) = 0;

  // A snapshot in two steps, so that a machine that writes can switch in between (Hypervisor::switch_disks). First step: returns where the
  // volume continues. open() returns the same from now on, and both files read alike until the machine has switched. nullopt: nothing to
  // switch; the second step does everything.
  virtual Result<std::optional<OpenVolume>> prepare_snapshot(const std::string& volume_id, unsigned user, const std::string& key) = 0;
  // Second step: what was written before becomes the snapshot.
  virtual Result<void> keep_snapshot(const std::string& snapshot_id, const std::string& volume_id) = 0;
  // Another name for the same bytes, as independent as any snapshot; `exists` if the name is taken. With a key, for a snapshot that is not
  // encrypted: an encrypted copy of all of it, which takes time and reports its progress in percent.
  virtual Result<void> copy_snapshot(const std::string& snapshot_id, const std::string& from, const std::string& key = {},
                                     const std::function<void(int percent)>& progress = {}) = 0;

  // Access to bytes without a machine, in multiples of 512. First: the parts where a snapshot has any, in order and disjoint.
  virtual Result<std::vector<Extent>> snapshot_extents(const std::string& snapshot_id, const std::string& key) = 0;
  // The parts where it may differ from `since`, another snapshot. `key` opens both.
  virtual Result<Difference> changed_extents(const std::string& snapshot_id, const std::string& since, const std::string& key) = 0;
  // From a snapshot, or from a volume that no machine has open. What was never written, or lies beyond the end, reads as zeroes.
  virtual Result<std::string> read(const std::string& id, std::uint64_t offset, std::uint64_t bytes, const std::string& key) = 0;
  // Into a volume that no machine has open; durable when it returns. `invalid`: beyond its end.
  virtual Result<void> write_volume(const std::string& volume_id, std::uint64_t offset, std::string_view data, const std::string& key) = 0;
  // The parts that were written since the volume was made, or since its last snapshot. No machine may have it open.
  virtual Result<std::vector<Extent>> written_extents(const std::string& volume_id, const std::string& key) = 0;

  virtual Result<std::vector<Holding>> holdings() = 0;
  // The instance stores of an instance (create_store) that exist.
  virtual std::vector<std::string> stores_of(const std::string& instance_id) = 0;

  // What could be folded: copied into the volume's own file, so that the files in between are no longer needed.
  virtual Result<std::vector<Fold>> foldable() = 0;
  // Folds, which takes time; only while no machine has the volume open. `refused`: it was aborted, which harms nothing.
  virtual Result<void> fold(const Fold& fold, const std::string& key, const Pace& pace) = 0;
  // A machine has done the fold (Hypervisor::fold_disk): removes files that are no longer needed.
  virtual Result<void> note_fold(const std::string& volume_id) = 0;

  // Makes a snapshot from a disk image file in any format that qemu-img reads (qcow2, raw, vmdk, vpc); reports progress in percent. The
  // file must be one whole image: a backing file inside it is refused, because it could name any file of the host.
  virtual Result<std::uint64_t> import_snapshot(const std::string& snapshot_id, const std::string& file,
                                                const std::function<void(int percent)>& progress) = 0;
  // Keeps a small file (kernel, RAM disk) under an image id; boot_file returns its path (world readable).
  virtual Result<void> import_boot_file(const std::string& image_id, const std::string& file) = 0;
  virtual Result<std::string> boot_file(const std::string& image_id) = 0;
  virtual Result<void> remove_boot_file(const std::string& image_id) = 0;

  // Removes files that a crash left half made. Volumes and snapshots that `known` does not know are set aside: they can no longer be found,
  // but their bytes stay until `keep_aside` has passed. `broken`, and nothing is touched, if most of the files have no owner: then the
  // names are lost, and the files are not orphans. While a known volume or snapshot lacks a file, only unfinished files are removed.
  virtual Result<Swept> sweep(const std::function<bool(const std::string& id)>& known, Time now, milliseconds keep_aside) = 0;
  // What has been set aside.
  virtual std::vector<Holding> aside() { return {}; }
};

// Called before each step that changes something on the disk, with its name ("snapshot.pointer"): a test may crash there.
using StepHook = std::function<void(std::string_view step)>;

// Files below `folder` ("<home>/blocks"); see layers.hpp.
Result<std::unique_ptr<BlockEngine>> make_file_block_engine(const std::string& folder, StepHook hook = {});
std::unique_ptr<BlockEngine> make_simulated_block_engine();

}  // namespace brume::block
