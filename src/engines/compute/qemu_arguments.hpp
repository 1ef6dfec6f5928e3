// QEMU's command line and the QMP arguments of hot-plug, as pure functions of a machine's description. Golden tested
// (tests/golden/qemu_arguments_test.cpp). Anything with free text in it goes as JSON, so that no comma in a path can turn into an option.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.hpp"
#include "base/result.hpp"
#include "engines/compute/hypervisor.hpp"

namespace brume::compute {

// What the host adds to a MachineSpec.
struct QemuHost {
  std::string accelerator;  // "kvm", "tcg"
  std::string folder;       // the machine's own folder
  int qmp_socket = -1;      // our listening sockets, handed over
  int console_socket = -1;
  std::map<std::string, int> disk_keys;  // by volume id: a file in memory with the disk's key, handed over
  bool pause_on_disk_trouble = true;
  std::optional<unsigned> user;       // run as this user; none: as our user
  std::optional<unsigned> kvm_group;  // group that may open /dev/kvm if others may not
};

// Names in a machine's folder.
std::string console_file(const std::string& folder);
std::string log_file(const std::string& folder);

// `invalid` with the reason if no command line can be made of it.
Result<void> validate(const MachineSpec& spec);
Result<void> validate(const Disk& disk);
Result<void> validate(const Nic& nic);
// Letters, digits and dashes, starting with a letter, at most 26 characters: safe as a file name and, with a suffix, as a QEMU name.
bool is_plain_id(std::string_view id);

// The command that starts the machine, halted (the processors start with `cont`). The taps' descriptors are handed over.
Command qemu_command(const MachineSpec& spec, const QemuHost& host);

// The server of a disk that several machines have, empty so far. `door`: a listening socket for the machines.
Command disk_server_command(const std::string& folder, int qmp_socket, int door, std::optional<unsigned> user);

// "vol-0123" → "vol0123": the disk's serial, and the name of its device.
std::string disk_name(const std::string& volume_id);
// "vol0123-2": the block node over the disk's file; after each snapshot a disk has another file, and another node.
std::string disk_node_name(const Disk& disk);
// Path of the door of a disk's server, from the machine's own folder.
std::string server_door(const std::string& volume_id);
// The block nodes of a disk, the device on them, and the network card: as `-blockdev`, `-device` and as the arguments of
// blockdev-add and device_add.
std::string disk_node(const Disk& disk);
// `pauses`: a full or failing disk of the host halts the guest; else the guest gets an I/O error.
std::string disk_device(const Disk& disk, bool boots, bool pauses);
// The arguments of block_set_io_throttle for the disk at this place in QEMU's tree of objects.
std::string disk_throttle(const std::string& device, const DiskLimits& limits);
// The same limits for a throttle group of a disk's server.
std::string server_limits(const DiskLimits& limits);
// An object through which QEMU gets a disk's key from a descriptor that was handed over; as `-object`.
std::string disk_key(const Disk& disk, int descriptor);
std::string nic_device(const Nic& nic);
// A network end on a descriptor: a number (command line) or a name given by getfd (QMP).
std::string nic_end(const Nic& nic, const std::string& descriptor);

// {"key":"value", …}: arguments of small QMP commands.
std::string json_object(const std::vector<std::pair<std::string, std::string>>& members);

}  // namespace brume::compute
