// What an image is to other actions: who may see and launch it, and how one comes in.
//
//   images.cpp              DescribeImages, DeregisterImage
//   image_registration.cpp  RegisterImage, the operator's import
//   image_copies.cpp        CopyImage
//   image_creation.cpp      CreateImage
//   image_attributes.cpp    DescribeImageAttribute, ModifyImageAttribute, ResetImageAttribute
//   image_references.cpp    DescribeImageReferences
//   image_lifecycle.cpp     deprecation, disabling, deregistration protection, block public access
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "service/action.hpp"
#include "service/services.hpp"
#include "state/store.hpp"
#include "wire/ec2/common.hpp"

namespace brume::ec2 {

// May the account launch it: its own, a public one, or one that was shared with it?
bool may_launch(const state::Image& image, const std::string& account);

// Finds an image that the account may see, in any state. Throws InvalidAMIID.Malformed, .NotFound; "aki" and "ari" for kernels and RAM
// disks are images too.
const state::Image& find_image(const state::World& world, const std::string& account, const std::string& id);
// The same; it must also be the account's own, else AuthFailure.
const state::Image& find_own_image(const state::World& world, const std::string& account, const std::string& id);
// The same as find_image; it must also be ready to be launched, else InvalidAMIID.Unavailable.
const state::Image& find_launchable(const state::World& world, const std::string& account, const std::string& id);

// The same for an AKI or ARI of this type ("kernel", "ramdisk") that a machine is to be booted with; an empty id is none.
void find_boot_image(const state::World& world, const std::string& account, const std::string& id, std::string_view type);

// The device that the machine boots from; nullptr: the image has none on EBS.
const state::BlockDevice* root_device(const state::Image& image);

// A device that the account's new image is to have besides the volumes that it is made of: an instance store, a blank volume, or one of the
// account's own snapshots. Throws InvalidBlockDeviceMapping and the errors of check_volume_shape.
state::BlockDevice read_image_device(const state::World& world, const service::Context& context,
                                     const wire::ec2::BlockDeviceMapping& mapping);

// 3 to 128 of EC2's characters, and no other image of the account's has it: InvalidAMIName.Malformed, .Duplicate.
void check_image_name(const state::World& world, const std::string& account, const std::string& name);
// At most 255 characters of ASCII: InvalidParameterValue.
void check_image_description(const std::string& description);
// "v2.0" or nothing: InvalidParameterValue.
void check_imds_support(const std::string& value);

// OperationNotPermitted when the account has blocked public sharing of its images.
void check_public_sharing(const state::World& world, const std::string& account);

// As answers show them.
std::vector<wire::ec2::BlockDeviceMapping> show_block_devices(const state::Image& image);

// An image that the operator brings in; the file is read by control after the transaction.
struct ImageImport {
  std::string account;
  std::string host;  // id of the one that has the files
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

std::vector<service::Action> image_registration_actions();
std::vector<service::Action> image_copy_actions();
std::vector<service::Action> image_attribute_actions();
std::vector<service::Action> image_lifecycle_actions();
std::vector<service::Action> image_reference_actions();

}  // namespace brume::ec2
