// What an image is to a launch, and how one comes in from a file of the operator's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "service/services.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

// May the account launch it: its own, a public one, or one that was shared with it?
bool may_launch(const state::Image& image, const std::string& account);

// Finds an image that the account may launch. Throws InvalidAMIID.Malformed, .NotFound, .Unavailable; "aki" and "ari" for kernels
// and RAM disks have no state but available.
const state::Image& find_launchable(const state::World& world, const std::string& account, const std::string& id);

// The same for an AKI or ARI of this type ("kernel", "ramdisk") that a machine is to be booted with; an empty id is none.
void find_boot_image(const state::World& world, const std::string& account, const std::string& id, std::string_view type);

// Throws for a type that there is not, and for iops and throughput that it does not have.
void check_volume_type(const state::BlockDevice& device);

// An image that the operator brings in; the file is read by control after the transaction.
struct ImageImport {
  std::string account;
  std::string name;
  std::string description;
  std::string architecture = "x86_64";
  std::string root_device_name = "/dev/sda1";
  std::string disk_file;
  std::int64_t least_size_gib = 0;
  std::string kernel_file;  // both or neither
  std::string ramdisk_file;
  std::string kernel_arguments;
  bool is_public = false;
};
// Returns the machine image's id. Throws InvalidAMIName.Duplicate, InvalidAMIName.Malformed.
std::string import_image(state::Transaction& transaction, const ImageImport& import);

}  // namespace brume::ec2
