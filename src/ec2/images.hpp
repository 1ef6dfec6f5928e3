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

// An image that the operator brings in; the file is read by control after the transaction.
struct ImageImport {
  std::string account;
  std::string name;
  std::string description;
  std::string architecture = "x86_64";
  std::string root_device_name = "/dev/sda1";
  std::string disk_file;
  std::int64_t least_size_gib = 0;
  std::string kernel_file;      // both or neither
  std::string ramdisk_file;
  std::string kernel_arguments;
  bool is_public = false;
};
// Returns the machine image's id. Throws InvalidAMIName.Duplicate, InvalidAMIName.Malformed.
std::string import_image(state::Transaction& transaction, const ImageImport& import);

}  // namespace brume::ec2
