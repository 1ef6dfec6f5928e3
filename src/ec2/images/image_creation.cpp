// CreateImage (AMI-027 ff., STO-142): an image of an instance as it is. What is decided here is which snapshots make it up; control shuts
// the instance down if it has to, takes them at one instant, starts it again and makes the image available.
#include <fmt/format.h>

#include <algorithm>

#include "ec2/accounts/quotas.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/images/images.hpp"
#include "ec2/instances/instances.hpp"
#include "ec2/launch/launch.hpp"
#include "ec2/storage/snapshots.hpp"
#include "ec2/storage/volume_rules.hpp"
#include "ec2/storage/volumes.hpp"
#include "wire/ec2/image_creation.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::BlockDevice;
using wire::ec2::BlockDeviceMapping;
using wire::ec2::CreateImageRequest;

// A device of the image, and the volume of the instance that it is a copy of, if it is one.
struct Part {
  BlockDevice device;
  const state::Volume* volume = nullptr;
};

// What the instance has: its volumes, and the instance stores that it was set up with (AMI-034).
std::vector<Part> parts_of(const state::World& world, const state::Instance& instance) {
  std::vector<Part> parts;
  for (const auto& id : instance.volume_ids) {
    const auto* volume = world.find<state::Volume>(instance.account, id);
    const auto* attachment = volume == nullptr ? nullptr : volume->attachment_to(instance.id);
    if (attachment == nullptr || attachment->attachment_state == state::AttachmentState::detaching) continue;
    check_can_be_snapshot(*volume);
    BlockDevice device;
    device.device = attachment->device;
    device.size_gib = volume->size_gib;
    const auto shape = shape_of(*volume);
    device.volume_type = shape.type;
    device.iops = shape.iops;
    device.throughput = shape.throughput;
    device.delete_on_termination = attachment->delete_on_termination;
    device.encrypted = volume->encrypted;
    parts.push_back({std::move(device), volume});
  }
  for (const auto& store : instance.instance_stores) {
    BlockDevice device;
    device.device = store.device;
    device.virtual_name = mapped_name(store);
    parts.push_back({std::move(device), nullptr});
  }
  return parts;
}

// Of a volume that the instance has nothing may be changed but whether it goes with the instance.
void change_volume(BlockDevice& device, const wire::ec2::EbsBlockDevice& asked) {
  const bool changes = (asked.volume_size && *asked.volume_size != device.size_gib) ||
                       (asked.volume_type && *asked.volume_type != device.volume_type) || (asked.iops && *asked.iops != device.iops) ||
                       (asked.throughput && *asked.throughput != device.throughput) || asked.snapshot_id ||
                       (asked.encrypted && *asked.encrypted != device.encrypted);
  if (changes)
    throw invalid_mapping(
        fmt::format("Of the volume at '{}' only DeleteOnTermination can be changed; the rest is as the instance has it.", device.device));
  device.delete_on_termination = asked.delete_on_termination.value_or(device.delete_on_termination);
}

// STO-110: exactly one of a store, a volume and nothing.
void check_target(const BlockDeviceMapping& mapping) {
  if (!mapping.device_name || mapping.device_name->empty()) throw wire::missing_parameter("BlockDeviceMapping.DeviceName");
  const int targets = static_cast<int>(mapping.ebs.has_value()) + static_cast<int>(mapping.virtual_name.has_value()) +
                      static_cast<int>(mapping.no_device.has_value());
  if (targets != 1)
    throw invalid_mapping(fmt::format("The mapping of '{}' needs one of Ebs, VirtualName and NoDevice.", *mapping.device_name));
}

void apply(const state::World& world, const Context& context, const state::Instance& instance, const BlockDeviceMapping& mapping,
           std::vector<Part>& parts) {
  check_target(mapping);
  const auto at =
      std::find_if(parts.begin(), parts.end(), [&](const Part& part) { return is_same_device(part.device.device, *mapping.device_name); });
  if (at == parts.end()) {
    if (!mapping.no_device) parts.push_back({read_image_device(world, context, mapping), nullptr});
    return;
  }
  if (mapping.ebs && at->volume != nullptr) return change_volume(at->device, *mapping.ebs);
  if (is_same_device(at->device.device, instance.root_device_name)) throw invalid_mapping("The root device cannot be left out.");
  if (mapping.no_device)
    parts.erase(at);
  else
    *at = {read_image_device(world, context, mapping), nullptr};
}

std::vector<Part> read_parts(const state::World& world, const Context& context, const state::Instance& instance,
                             const CreateImageRequest& request) {
  auto parts = parts_of(world, instance);
  const bool has_root = std::any_of(parts.begin(), parts.end(), [&](const Part& part) {
    return part.volume != nullptr && is_same_device(part.device.device, instance.root_device_name);
  });
  if (!has_root)
    throw wire::invalid_parameter_value(
        fmt::format("Invalid value '{}' for instanceId. Instance does not have a volume attached at root ({})", instance.id,
                    instance.root_device_name));
  std::vector<std::string> seen;
  for (const auto& mapping : request.block_device_mappings) {
    apply(world, context, instance, mapping, parts);
    for (const auto& other : seen)
      if (is_same_device(other, *mapping.device_name))
        throw invalid_mapping(fmt::format("The device '{}' is used in more than one block-device mapping", *mapping.device_name));
    seen.push_back(*mapping.device_name);
  }
  return parts;
}

void check_instance(const state::World& world, const state::Instance& instance) {
  const auto current = instance.state;
  if (current != state::InstanceState::running && current != state::InstanceState::stopped)
    throw wire::ApiError(400, "IncorrectState", fmt::format("Instance '{}' is not 'running' or 'stopped'.", instance.id));
  world.each_of<state::Image>(instance.account, [&](const state::Image& image) {
    if (image.state == state::ImageState::pending && image.reboot_instance == instance.id)
      throw wire::ApiError(400, "IncorrectState",
                           fmt::format("Instance '{}' is being shut down for the image '{}'.", instance.id, image.id));
  });
}

// The image without its devices.
state::Image begin_image(state::Transaction& transaction, const state::Instance& instance, const CreateImageRequest& request) {
  state::Image image;
  image.account = instance.account;
  image.id = make_id(transaction.random(), "ami");
  image.name = *request.name;
  image.description = request.description.value_or("");
  image.location = image.account + "/" + image.name;
  image.state = state::ImageState::pending;
  image.created = transaction.now();
  image.architecture = instance.architecture;
  image.source_instance_id = instance.id;
  image.host = instance.host;
  image.root_device_name = instance.root_device_name;
  image.virtualization_type = instance.virtualization_type;
  image.platform = instance.platform;
  image.kernel_id = instance.kernel_id;
  image.ramdisk_id = instance.ramdisk_id;
  image.product_codes = instance.product_codes;  // AMI-078
  // The instance does not say these; its image does, as long as there is one.
  if (const auto* source = transaction.world().find_indexed<state::Image>(state::Index::image_by_id, instance.image_id)) {
    image.boot_mode = source->boot_mode;
    image.ena_support = source->ena_support;
    image.sriov_net_support = source->sriov_net_support;
    image.imds_support = source->imds_support;
  }
  const bool runs = instance.state == state::InstanceState::running;
  if (runs && !request.no_reboot.value_or(false)) image.reboot_instance = instance.id;
  return image;
}

wire::ec2::CreateImageResponse create_image(state::Transaction& transaction, const Context& context, const CreateImageRequest& request) {
  check_tag_types(request.tag_specifications, {"image", "snapshot"});
  const auto& world = transaction.world();
  const auto& instance = *find_instances(world, context.account(), {*request.instance_id}).front();
  check_instance(world, instance);
  check_image_name(world, context.account(), *request.name);
  check_image_quota(world, context);
  check_image_description(request.description.value_or(""));
  const auto parts = read_parts(world, context, instance, request);
  refuse_local_zones(request.snapshot_location, "snapshotLocation");
  check_snapshot_quota(world, context, static_cast<std::int64_t>(parts.size()));
  auto image = begin_image(transaction, instance, request);
  // STO-142; today's answers name the image as well.
  const auto description = context.is_2011() ? fmt::format("Created by CreateImage({})", instance.id)
                                             : fmt::format("Created by CreateImage({}) for {}", instance.id, image.id);
  for (const auto& part : parts) {
    auto device = part.device;
    if (part.volume != nullptr) {
      auto snapshot = begin_snapshot(transaction, *part.volume, description);
      snapshot.set_id = image.id;
      device.snapshot_id = snapshot.id;
      tag_on_create(transaction, snapshot.account, snapshot.id, "snapshot", request.tag_specifications);
      transaction.put(std::move(snapshot));
    }
    image.block_devices.push_back(std::move(device));
  }
  tag_on_create(transaction, image.account, image.id, "image", request.tag_specifications);
  wire::ec2::CreateImageResponse response;
  response.image_id = image.id;
  transaction.put(std::move(image));
  return response;
}

}  // namespace

std::vector<service::Action> image_creation_actions() { return {service::write_action<CreateImageRequest>("CreateImage", create_image)}; }

}  // namespace brume::ec2
