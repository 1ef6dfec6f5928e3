// How images come to be: RegisterImage from snapshots, and the operator's import.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "ec2/accounts/quotas.hpp"
#include "ec2/common/resource_ids.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/images/images.hpp"
#include "ec2/storage/snapshots.hpp"
#include "ec2/storage/volume_rules.hpp"
#include "wire/ec2/images.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::BlockDevice;
using state::Image;
using wire::ec2::EbsBlockDevice;

// ----- RegisterImage

void add_devices(const state::World& world, const Context& context, Image& image, const wire::ec2::RegisterImageRequest& request) {
  std::set<std::string> names;
  for (const auto& mapping : request.block_device_mappings) {
    if (mapping.no_device) continue;  // an image starts with none: there is nothing to leave out
    image.block_devices.push_back(read_image_device(world, context, mapping));
    if (const auto& name = image.block_devices.back().device; !names.insert(name).second)
      throw invalid_mapping(fmt::format("The device '{}' is used in more than one mapping.", name));
  }
  if (request.image_location)
    throw wire::unsupported_operation(
        "Images whose manifest is in S3 are not supported. Register from a snapshot by BlockDeviceMapping, "
        "or bring a disk image in with 'brume image import'.");
  if (root_device(image) == nullptr)
    throw invalid_mapping(
        "The root device is not mapped to a snapshot. Give a BlockDeviceMapping with "
        "Ebs.SnapshotId whose device name is the RootDeviceName.");
}

void check_one_of(std::string_view name, const std::string& value, std::initializer_list<std::string_view> known) {
  if (std::find(known.begin(), known.end(), value) == known.end())
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter {} is invalid. Valid values are: {}.", value, name, fmt::join(known, ", ")));
}

// What a machine of this installation cannot be.
void check_machine(const Image& image, const wire::ec2::RegisterImageRequest& request) {
  check_one_of("architecture", image.architecture, {"i386", "x86_64", "arm64", "x86_64_mac", "arm64_mac"});
  check_one_of("virtualizationType", image.virtualization_type, {"hvm", "paravirtual"});
  if (!image.boot_mode.empty()) check_one_of("bootMode", image.boot_mode, {"legacy-bios", "uefi", "uefi-preferred"});
  if (!image.sriov_net_support.empty()) check_one_of("sriovNetSupport", image.sriov_net_support, {"simple"});
  check_imds_support(image.imds_support);
  if (request.tpm_support) check_one_of("tpmSupport", *request.tpm_support, {"v2.0"});
  if (!request.billing_products.empty())
    throw wire::ApiError(400, "AuthFailure", "The account is not authorized to specify billing product codes.");
}

// Comes after all that is wrong in any installation.
void refuse_unbuilt_registration_options(const Image& image, const wire::ec2::RegisterImageRequest& request) {
  if (image.architecture != "x86_64" && image.architecture != "i386")
    throw wire::unsupported_operation(
        fmt::format("The architecture '{}' is not supported: this installation runs i386 and x86_64.", image.architecture));
  if (image.boot_mode == "uefi")
    throw wire::unsupported_operation("The boot mode 'uefi' is not supported yet; images boot by legacy BIOS.");
  if (request.tpm_support) throw wire::unsupported_operation("Images with a trusted platform module are not supported.");
  if (request.uefi_data) throw wire::unsupported_operation("Images with UEFI variables are not supported.");
}

wire::ec2::RegisterImageResponse register_image(state::Transaction& transaction, const Context& context,
                                                const wire::ec2::RegisterImageRequest& request) {
  const auto& world = transaction.world();
  if (!request.name) throw wire::missing_parameter("Name");
  check_image_name(world, context.account(), *request.name);
  check_image_quota(world, context);
  check_tag_types(request.tag_specifications, {"image"});
  Image image;
  image.account = context.account();
  image.id = make_id(transaction.random(), "ami");
  image.host = context.services.settings.host;
  image.name = *request.name;
  image.description = request.description.value_or("");
  check_image_description(image.description);
  image.location = image.account + "/" + image.name;
  image.architecture = request.architecture.value_or("i386");
  image.root_device_name = request.root_device_name.value_or("/dev/sda1");
  image.virtualization_type = request.virtualization_type.value_or("paravirtual");
  image.boot_mode = request.boot_mode.value_or("");
  image.ena_support = request.ena_support.value_or(false);
  image.sriov_net_support = request.sriov_net_support.value_or("");
  image.imds_support = request.imds_support.value_or("");
  image.created = transaction.now();
  check_machine(image, request);
  image.kernel_id = request.kernel_id.value_or("");
  image.ramdisk_id = request.ramdisk_id.value_or("");
  find_boot_image(world, image.account, image.kernel_id, "kernel");
  find_boot_image(world, image.account, image.ramdisk_id, "ramdisk");
  add_devices(world, context, image, request);
  refuse_unbuilt_registration_options(image, request);
  tag_on_create(transaction, image.account, image.id, "image", request.tag_specifications);
  wire::ec2::RegisterImageResponse response;
  response.image_id = image.id;
  transaction.put(std::move(image));
  return response;
}

}  // namespace

void check_image_name(const state::World& world, const std::string& account, const std::string& name) {
  const bool fits = name.size() >= 3 && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                             std::string_view("()[] ./-'@_:+").find(c) != std::string_view::npos;
                    });
  if (!fits)
    throw wire::ApiError(
        400, "InvalidAMIName.Malformed",
        "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/' and '_'");
  world.each_of<Image>(account, [&](const Image& image) {
    if (image.name == name && image.type == "machine" && image.state != state::ImageState::deregistered &&
        image.state != state::ImageState::failed)
      throw wire::ApiError(400, "InvalidAMIName.Duplicate", fmt::format("AMI name {} is already in use by AMI {}", name, image.id));
  });
}

void check_image_description(const std::string& description) {
  constexpr size_t limit = 255;
  if (description.size() > limit)
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter description is invalid. It has more than {} characters.", description, limit));
  if (!std::all_of(description.begin(), description.end(), [](char c) { return c >= ' ' && c <= '~'; }))
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter description is invalid. Character sets beyond ASCII are not supported.", description));
}

void check_imds_support(const std::string& value) {
  if (!value.empty()) check_one_of("imdsSupport", value, {"v2.0"});
}

namespace {

// The image's users make volumes of it, whoever may make volumes of the snapshot itself: so it is the owner's to give.
void take_snapshot(const state::World& world, const std::string& account, const EbsBlockDevice& asked, BlockDevice& device) {
  if (asked.encrypted)
    throw invalid_mapping(fmt::format("Encryption of the device '{}' follows from its snapshot, and cannot be chosen.", device.device));
  check_id("snap", *asked.snapshot_id);
  const auto* snapshot = world.find<state::Snapshot>(account, *asked.snapshot_id);
  if (snapshot == nullptr) throw id_unknown("snap", *asked.snapshot_id);
  find_restorable_snapshot(world, account, snapshot->id);
  device.snapshot_id = snapshot->id;
  device.size_gib = asked.volume_size.value_or(snapshot->size_gib);
  device.encrypted = snapshot->encrypted;
  if (device.size_gib < snapshot->size_gib)
    throw invalid_mapping(fmt::format("Volume of size {}GB is smaller than snapshot '{}', expect size >= {}GB", device.size_gib,
                                      snapshot->id, snapshot->size_gib));
}

void read_volume(const state::World& world, const service::Context& context, const EbsBlockDevice& asked, BlockDevice& device) {
  device.volume_type = asked.volume_type.value_or("gp2");
  device.iops = asked.iops.value_or(0);
  device.throughput = asked.throughput.value_or(0);
  device.delete_on_termination = asked.delete_on_termination.value_or(true);
  if (!asked.snapshot_id.value_or("").empty()) {
    take_snapshot(world, context.account(), asked, device);
  } else {
    if (!asked.volume_size) throw invalid_mapping(fmt::format("The device '{}' has neither a snapshot nor a size.", device.device));
    device.size_gib = *asked.volume_size;
    device.encrypted = asked.encrypted.value_or(false);
  }
  check_key(context, asked.kms_key_id, device.encrypted);
  check_volume_shape({device.volume_type, device.size_gib, device.iops, device.throughput});
  if (asked.availability_zone || asked.availability_zone_id || asked.outpost_arn)
    throw wire::unsupported_operation("An image's volume has no Availability Zone and no Outpost.");
}

}  // namespace

BlockDevice read_image_device(const state::World& world, const service::Context& context, const wire::ec2::BlockDeviceMapping& mapping) {
  BlockDevice device;
  if (mapping.device_name.value_or("").empty()) throw wire::missing_parameter("BlockDeviceMapping.DeviceName");
  device.device = *mapping.device_name;
  if (!is_device_name(device.device)) throw invalid_mapping(fmt::format("'{}' is not a valid EBS device name.", device.device));
  device.virtual_name = mapping.virtual_name.value_or("");
  if (mapping.ebs.has_value() == !device.virtual_name.empty())
    throw invalid_mapping(fmt::format("The device '{}' has to have exactly one of a virtual name and Ebs.", device.device));
  if (mapping.ebs)
    read_volume(world, context, *mapping.ebs, device);
  else if (!device.virtual_name.starts_with("ephemeral"))
    throw invalid_mapping(fmt::format("The virtual name '{}' is not valid.", device.virtual_name));
  return device;
}

// ----- the operator's import

namespace {

// A kernel or RAM disk beside the machine image that it was imported with.
std::string import_boot_image(state::Transaction& transaction, const ImageImport& import, const Image& image, std::string_view prefix,
                              std::string_view type, const std::string& file) {
  Image boot = image;
  boot.id = make_id(transaction.random(), prefix);
  boot.type = type;
  boot.name = fmt::format("{}.{}", type, import.name);  // not met by a search for "tiny*"
  boot.location = fmt::format("{}.{}", image.location, type);
  boot.root_device_name.clear();
  boot.import_source = file;
  if (type == "kernel") boot.kernel_arguments = import.kernel_arguments;
  auto id = boot.id;
  transaction.put(std::move(boot));
  return id;
}

}  // namespace

std::string import_image(state::Transaction& transaction, const ImageImport& import) {
  check_image_name(transaction.world(), import.account, import.name);
  Image image;
  image.account = import.account;
  image.id = make_id(transaction.random(), "ami");
  image.host = import.host;
  image.name = import.name;
  image.description = import.description;
  // What the operator brings in for everybody is what EC2 calls Amazon's.
  if (import.is_public) image.owner_alias = "amazon";
  image.location = (image.owner_alias.empty() ? import.account : image.owner_alias) + "/" + import.name;
  image.architecture = import.architecture;
  image.root_device_name = import.root_device_name;
  image.state = state::ImageState::pending;
  image.is_public = import.is_public;
  image.created = transaction.now();
  if (!import.kernel_file.empty()) image.kernel_id = import_boot_image(transaction, import, image, "aki", "kernel", import.kernel_file);
  if (!import.ramdisk_file.empty()) image.ramdisk_id = import_boot_image(transaction, import, image, "ari", "ramdisk", import.ramdisk_file);
  image.import_source = import.disk_file;
  state::Snapshot snapshot;
  snapshot.account = import.account;
  snapshot.id = make_id(transaction.random(), "snap");
  snapshot.host = import.host;
  snapshot.state = state::SnapshotState::pending;
  snapshot.description = "Created by 'brume image import' for " + image.id;
  snapshot.started = transaction.now();
  BlockDevice root;
  root.device = image.root_device_name;
  root.snapshot_id = snapshot.id;
  root.size_gib = import.least_size_gib;
  root.volume_type = "gp2";
  image.block_devices.push_back(std::move(root));
  auto id = image.id;
  transaction.put(std::move(snapshot));
  transaction.put(std::move(image));
  return id;
}

std::vector<service::Action> image_registration_actions() {
  return {service::write_action<wire::ec2::RegisterImageRequest>("RegisterImage", register_image)};
}

}  // namespace brume::ec2
