// Operations on the disks of a running machine, over its monitor.
//
// A disk is a device named after its volume (disk_name) on a tree of block nodes. Only the node that the guest writes to has a name that we
// gave (disk_node_name): after a snapshot that is another node, and the previous one stays below it until the disk is removed.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "engines/compute/hypervisor.hpp"
#include "engines/compute/machine.hpp"

namespace brume::compute {

// QEMU's own sentence, with the kind of error that the caller can act on.
Error explain(Error error);

// Their contracts are those of Hypervisor's functions of these names.
Result<void> attach_disk(Machine& machine, const Disk& disk, bool pauses);
Result<void> detach_disk(Machine& machine, const std::string& volume_id, bool force, milliseconds limit);
Result<milliseconds> switch_disks(Machine& machine, const std::vector<Disk>& overlays);
Result<std::int64_t> disk_generation(Machine& machine, const std::string& volume_id);
Result<void> fold_disk(Machine& machine, const std::string& volume_id, const std::string& base, const std::string& base_name,
                       std::uint64_t bytes_per_second);
Result<int> fold_percent(Machine& machine, const std::string& volume_id);
Result<void> limit_disk(Machine& machine, const std::string& volume_id, const DiskLimits& limits);
Result<void> resize_disk(Machine& machine, const std::string& volume_id, std::uint64_t bytes);

// Operations of a disk's server (disk_servers.hpp), which is a Machine with its volume's id: the functions above that concern the disk's
// files and limits work on it as on a machine. First it opens the disk.
Result<void> open_served_disk(Machine& server, const Disk& disk);
// The machines that it lets in.
Result<std::set<std::string>> served_machines(Machine& server);
Result<void> let_in(Machine& server, const std::string& machine_id);
// Tells the machine that a disk served to it now has this size. Succeeds also if it has no such disk.
Result<void> note_served_size(Machine& machine, const std::string& volume_id, std::uint64_t bytes);

}  // namespace brume::compute
