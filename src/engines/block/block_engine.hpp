// Where volumes and snapshots keep their bytes. One implementation keeps qcow2 files and lets QEMU's tools do the work, one only
// pretends (simulation mode). Ceph RBD fits behind the same few calls.
//
// Nothing but src/control calls this. Every call either has its whole effect or none, also across a crash: files are made under a
// temporary name and renamed, and sweep() removes what a crash left half made. A call that fails because the disk did (EIO, no room, no
// descriptors) may have had its effect, which then is not durable; the same call once more finishes it.
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

// Nothing new is made where less room than this is left: what runs needs some to go on.
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
  std::int64_t generation = 0;  // of the file: a snapshot lets a volume go on in another one
  std::vector<Base> bases;      // what the file stands on, the nearest first
};

struct Usage {
  std::uint64_t virtual_bytes = 0;    // what the guest sees
  std::uint64_t allocated_bytes = 0;  // what the host spends
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
  bool related = false;         // one was made on top of the other, or both on top of the same
  std::vector<Extent> extents;  // in order and apart; never less than what differs
};

// One volume or snapshot with what it costs, for the operator.
struct Holding {
  std::string id;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t own_bytes = 0;     // on the disk for it alone
  std::uint64_t shared_bytes = 0;  // on the disk for it and others
  std::int64_t depth = 0;          // how many files a read may have to look through
};

// A volume that could stand on fewer files: some serve nobody else since a snapshot went, or there are too many.
struct Fold {
  std::string volume_id;
  std::string base;         // the file that it shall stand on directly; empty: on none
  std::string base_name;    // as the volume's own file names it
  std::uint64_t bytes = 0;  // at most this much is copied
};

// What a sweep did.
struct Swept {
  std::vector<std::string> removed;
  std::vector<std::string> set_aside;
};

// How something that takes long is done beside other work.
struct Pace {
  std::uint64_t bytes_per_second = 0;  // 0: as fast as it goes
  std::function<void(int percent)> progress;
  std::stop_token stop;  // broken off when this is asked for
};

// Threads: all functions may be called from any thread; calls for one volume or snapshot are made one after another by the caller.
// A `key` is the secret that an encrypted volume is opened by; empty: the volume is not encrypted.
class BlockEngine {
 public:
  virtual ~BlockEngine() = default;

  // An empty volume. `exhausted` when the disk is full.
  virtual Result<void> create(const std::string& volume_id, std::uint64_t bytes, const std::string& key) = 0;
  // A disk of the host for an instance, with an empty file system or swap space (STO-082, STO-084); "ephemeral0" of an instance has another
  // file system than "ephemeral1", as they may be told apart by it.
  virtual Result<void> create_store(const std::string& id, std::uint64_t bytes, StoreContent /*content*/, const std::string& /*name*/) {
    return create(id, bytes, {});
  }
  // A volume with a snapshot's content, constant time whatever the size. `bytes` 0 or smaller than the snapshot: the snapshot's size.
  // An encrypted snapshot needs the key that it was made with. With a key for a snapshot that is not encrypted all of it is copied, so that
  // nothing that the volume shows lies on the disk in the clear for it.
  virtual Result<void> clone(const std::string& volume_id, const std::string& snapshot_id, std::uint64_t bytes, const std::string& key) = 0;
  // Success also when it is not there.
  virtual Result<void> remove_volume(const std::string& volume_id) = 0;
  // Volumes and snapshots that were made of it stay whole.
  virtual Result<void> remove_snapshot(const std::string& snapshot_id) = 0;
  // How to open it, and from now on it belongs to this user number.
  virtual Result<OpenVolume> open(const std::string& volume_id, unsigned user) = 0;
  virtual Result<Usage> usage(const std::string& volume_id) = 0;
  // Larger; only while no machine has it open.
  virtual Result<void> resize(const std::string& volume_id, std::uint64_t bytes, const std::string& key) = 0;

  // A snapshot in two steps, so that a machine that writes can be told in between (Hypervisor::switch_disks). First: where the volume
  // goes on; open() says the same from now on, and both read alike until the machine has switched. nullopt: nothing to switch, the
  // second step does it all.
  virtual Result<std::optional<OpenVolume>> prepare_snapshot(const std::string& volume_id, unsigned user, const std::string& key) = 0;
  // Second: what was written before is the snapshot.
  virtual Result<void> keep_snapshot(const std::string& snapshot_id, const std::string& volume_id) = 0;
  // Another name for the same bytes, as independent as any snapshot; `exists` when it is there. With a key, for one that is not
  // encrypted: an encrypted copy of all of it, which takes its time and says how far it is in percent.
  virtual Result<void> copy_snapshot(const std::string& snapshot_id, const std::string& from, const std::string& key = {},
                                     const std::function<void(int percent)>& progress = {}) = 0;

  // Bytes without a machine, in multiples of 512. First: where a snapshot has any at all, in order and apart.
  virtual Result<std::vector<Extent>> snapshot_extents(const std::string& snapshot_id, const std::string& key) = 0;
  // Where it may differ from `since`, another snapshot. `key` opens both.
  virtual Result<Difference> changed_extents(const std::string& snapshot_id, const std::string& since, const std::string& key) = 0;
  // Of a snapshot, or of a volume that no machine has open. What was never written, and what is behind its end, reads as zeroes.
  virtual Result<std::string> read(const std::string& id, std::uint64_t offset, std::uint64_t bytes, const std::string& key) = 0;
  // Into a volume that no machine has open; on the disk when it returns. `invalid`: behind its end.
  virtual Result<void> write_volume(const std::string& volume_id, std::uint64_t offset, std::string_view data, const std::string& key) = 0;
  // Where a volume that no machine has open was written to since it was made, or since the last snapshot of it.
  virtual Result<std::vector<Extent>> written_extents(const std::string& volume_id, const std::string& key) = 0;

  virtual Result<std::vector<Holding>> holdings() = 0;
  // The disks of the host that an instance was given (create_store), as long as they are there.
  virtual std::vector<std::string> stores_of(const std::string& instance_id) = 0;

  // What could be folded: copied into the volume's own file, so that the files between need not stay.
  virtual Result<std::vector<Fold>> foldable() = 0;
  // Does it, which takes its time; only while no machine has the volume open. `refused`: it was broken off, which harms nothing.
  virtual Result<void> fold(const Fold& fold, const std::string& key, const Pace& pace) = 0;
  // A machine has done it (Hypervisor::fold_disk): files that are nobody's go.
  virtual Result<void> note_fold(const std::string& volume_id) = 0;

  // Makes a snapshot out of a disk image file in any format that qemu-img reads (qcow2, raw, vmdk, vpc); tells how far it is in
  // percent. The file must be one whole image: a backing file inside it is refused (it could name any file of the host).
  virtual Result<std::uint64_t> import_snapshot(const std::string& snapshot_id, const std::string& file,
                                                const std::function<void(int percent)>& progress) = 0;
  // Keeps a small file (kernel, ramdisk) under an image id, returns nothing; boot_file says where it is (world readable).
  virtual Result<void> import_boot_file(const std::string& image_id, const std::string& file) = 0;
  virtual Result<std::string> boot_file(const std::string& image_id) = 0;
  virtual Result<void> remove_boot_file(const std::string& image_id) = 0;

  // Removes files that a crash left half made. Volumes and snapshots that `known` says are nobody's are set aside: nobody finds them any
  // more, but their bytes stay until `keep_aside` has passed. `broken`, and nothing is touched: most of the files have no owner, so that
  // it is the names that are lost and not the files that are left over. While a known one lacks a file, only unfinished files are removed.
  virtual Result<Swept> sweep(const std::function<bool(const std::string& id)>& known, Time now, milliseconds keep_aside) = 0;
  // What lies aside.
  virtual std::vector<Holding> aside() { return {}; }
};

// Called before each step that changes something on the disk, with its name ("snapshot.pointer"): a test dies there.
using StepHook = std::function<void(std::string_view step)>;

// Files below `folder` ("<home>/blocks"), see layers.hpp.
Result<std::unique_ptr<BlockEngine>> make_file_block_engine(const std::string& folder, StepHook hook = {});
std::unique_ptr<BlockEngine> make_simulated_block_engine();

}  // namespace brume::block
