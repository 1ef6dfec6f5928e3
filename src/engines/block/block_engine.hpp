// Where volumes and snapshots keep their bytes. One implementation keeps qcow2 files and lets QEMU's tools do the work, one only
// pretends (simulation mode). Ceph RBD fits behind the same few calls.
//
// Nothing but src/control calls this. Every call either has its whole effect or none, also across a crash: files are made under a
// temporary name and renamed, and sweep() removes what a crash left.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace brume::block {

// What QEMU needs to open a volume.
struct OpenVolume {
  std::string file;
  std::string format;
};

struct Usage {
  std::uint64_t virtual_bytes = 0;    // what the guest sees
  std::uint64_t allocated_bytes = 0;  // what the host spends
};

// Threads: all functions may be called from any thread; calls for one volume or snapshot are made one after another by the caller.
class BlockEngine {
 public:
  virtual ~BlockEngine() = default;

  // An empty volume. `exhausted` when the disk is full.
  virtual Result<void> create(const std::string& volume_id, std::uint64_t bytes) = 0;
  // A volume with a snapshot's content, constant time whatever the size. `bytes` 0 or smaller than the snapshot: the snapshot's size.
  virtual Result<void> clone(const std::string& volume_id, const std::string& snapshot_id, std::uint64_t bytes) = 0;
  // Success also when it is not there.
  virtual Result<void> remove_volume(const std::string& volume_id) = 0;
  virtual Result<void> remove_snapshot(const std::string& snapshot_id) = 0;
  // How to open it, and from now on it belongs to this user number.
  virtual Result<OpenVolume> open(const std::string& volume_id, unsigned user) = 0;
  virtual Result<Usage> usage(const std::string& volume_id) = 0;

  // Makes a snapshot out of a disk image file in any format that qemu-img reads (qcow2, raw, vmdk, vpc); tells how far it is in
  // percent. The file must be one whole image: a backing file inside it is refused (it could name any file of the host).
  virtual Result<std::uint64_t> import_snapshot(const std::string& snapshot_id, const std::string& file,
                                                const std::function<void(int percent)>& progress) = 0;
  // Keeps a small file (kernel, ramdisk) under an image id, returns nothing; boot_file says where it is (world readable).
  virtual Result<void> import_boot_file(const std::string& image_id, const std::string& file) = 0;
  virtual Result<std::string> boot_file(const std::string& image_id) = 0;
  virtual Result<void> remove_boot_file(const std::string& image_id) = 0;

  // Removes temporary files that a crash left, and volumes and snapshots that `known` says are nobody's. Returns what was removed.
  virtual Result<std::vector<std::string>> sweep(const std::function<bool(const std::string& id)>& known) = 0;
};

// Files below `folder` ("<home>/blocks"): volumes/vol-….qcow2, snapshots/snap-….qcow2, boot/aki-….
Result<std::unique_ptr<BlockEngine>> make_file_block_engine(const std::string& folder);
std::unique_ptr<BlockEngine> make_simulated_block_engine();

}  // namespace brume::block
