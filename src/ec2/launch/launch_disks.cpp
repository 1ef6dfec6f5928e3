// The disks of a launch: the image's block device mapping with the request's laid over it (STO-110 to STO-113).
#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/images/images.hpp"
#include "ec2/launch/launch.hpp"
#include "ec2/storage/snapshots.hpp"
#include "ec2/storage/volume_rules.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::BlockDevice;
using wire::ec2::EbsBlockDevice;
using wire::ec2::RunInstancesRequest;

// The fields that are named replace the device's; the others stay.
void overlay(const state::World& world, const Context& context, const EbsBlockDevice& asked, bool is_new, BlockDevice& device) {
  std::int64_t least = device.size_gib;
  if (asked.snapshot_id && *asked.snapshot_id != device.snapshot_id) {
    if (!is_new) throw invalid_mapping("The snapshot of the image's own device cannot be replaced at launch.");
    const auto& snapshot = find_restorable_snapshot(world, context.account(), *asked.snapshot_id);
    device.snapshot_id = snapshot.id;
    device.encrypted = snapshot.encrypted;
    device.size_gib = least = snapshot.size_gib;
  }
  if (device.snapshot_id.empty()) least = is_new ? 1 : least;
  if (asked.volume_size) {
    if (*asked.volume_size < least && !device.snapshot_id.empty())
      throw invalid_mapping(fmt::format("Volume of size {}GB is smaller than snapshot '{}', expect size >= {}GB", *asked.volume_size,
                                        device.snapshot_id, least));
    if (*asked.volume_size < 1) throw invalid_mapping(fmt::format("Volume of size {}GB is invalid.", *asked.volume_size));
    device.size_gib = *asked.volume_size;
  }
  if (device.snapshot_id.empty() && device.size_gib == 0) throw wire::missing_parameter("size or snapshotId");
  if (asked.volume_type && *asked.volume_type != device.volume_type) {
    device.volume_type = *asked.volume_type;
    if (!asked.iops) device.iops = 0;
    if (!asked.throughput) device.throughput = 0;
  }
  if (asked.iops) device.iops = *asked.iops;
  if (asked.throughput) device.throughput = *asked.throughput;
  if (asked.delete_on_termination) device.delete_on_termination = *asked.delete_on_termination;
  if (asked.encrypted.value_or(false)) device.encrypted = true;
  if (asked.encrypted && !*asked.encrypted && device.encrypted)
    throw wire::invalid_parameter_combination(fmt::format("The snapshot '{}' is encrypted, and so are its volumes", device.snapshot_id));
  check_key(context, asked.kms_key_id, device.encrypted);
  check_volume_shape({device.volume_type.empty() ? "gp2" : device.volume_type, device.size_gib, device.iops, device.throughput});
}

std::optional<std::int64_t> store_number(std::string_view virtual_name) {
  if (!virtual_name.starts_with("ephemeral")) return std::nullopt;
  const auto number = parse_integer(virtual_name.substr(9));
  return number && *number >= 0 && *number < 24 ? number : std::nullopt;
}

// The small types of the guide have swap space as their second store.
constexpr std::string_view swap_name = "swap";
constexpr std::string_view swap_mapping = "ephemeral1";
constexpr std::int64_t swap_gib = 1;
bool has_swap(const domain::InstanceType& type) { return type.name == "m1.small" || type.name == "c1.medium"; }

bool is_suppressed(const wire::ec2::BlockDeviceMapping& mapping) {
  // NoDevice is there and empty; the guide's own form is Ebs.NoDevice=true.
  return mapping.no_device && !equals_ignoring_case(*mapping.no_device, "false");
}

// The image's devices by the request's, in the order of the image, new ones behind.
class Mapping {
 public:
  Mapping(const state::World& world, const Context& context, const state::Image& image)
      : world_(world), context_(context), root_(image.root_device_name) {
    for (const auto& device : image.block_devices)
      if (!device.suppressed) devices_.push_back(device);
  }

  void lay_over(const wire::ec2::BlockDeviceMapping& asked) {
    const auto& name = asked.device_name;
    if (!name || name->empty()) throw wire::missing_parameter("BlockDeviceMapping.DeviceName");
    // "xvdf" and "/dev/sdf" are one device; each is shown as it was spelled.
    for (const auto& other : seen_)
      if (is_same_device(other, *name))
        throw invalid_mapping(fmt::format("The device '{}' is used in more than one block-device mapping", *name));
    seen_.push_back(*name);
    const bool root = is_same_device(*name, root_);
    const auto at =
        std::find_if(devices_.begin(), devices_.end(), [&](const auto& device) { return is_same_device(device.device, *name); });
    if (at == devices_.end() && !is_device_name(*name)) throw invalid_mapping(fmt::format("'{}' is not a valid EBS device name.", *name));
    if (is_suppressed(asked)) {
      if (root) throw invalid_mapping("The root device cannot be left out.");
      if (at != devices_.end()) devices_.erase(at);
      return;
    }
    if (asked.virtual_name && asked.ebs)
      throw invalid_mapping(fmt::format("The device '{}' is a volume or an instance store, not both", *name));
    BlockDevice fresh;
    fresh.device = *name;
    if (asked.virtual_name) {
      if (root) throw invalid_mapping("The root device is a volume.");
      if (!store_number(*asked.virtual_name))
        throw invalid_mapping(fmt::format("'{}' is not the name of an instance store, such as ephemeral0", *asked.virtual_name));
      fresh.virtual_name = *asked.virtual_name;
      if (at != devices_.end())
        *at = std::move(fresh);
      else
        devices_.push_back(std::move(fresh));
      return;
    }
    if (!asked.ebs) throw wire::missing_parameter("ebs");
    lay_volume(at, *asked.ebs, std::move(fresh));
  }

  std::vector<BlockDevice> take() { return std::move(devices_); }

 private:
  void lay_volume(std::vector<BlockDevice>::iterator at, const EbsBlockDevice& asked, BlockDevice fresh) {
    const bool is_new = at == devices_.end() || !at->virtual_name.empty();
    if (!is_new) return overlay(world_, context_, asked, false, *at);
    if (at != devices_.end() && asked.snapshot_id)
      throw invalid_mapping(fmt::format("The device '{}' is the instance store '{}' of the image: a snapshot cannot take its place.",
                                        fresh.device, at->virtual_name));
    fresh.volume_type = context_.is_2011() ? "standard" : "gp2";
    overlay(world_, context_, asked, true, fresh);
    if (at == devices_.end())
      devices_.push_back(std::move(fresh));
    else
      *at = std::move(fresh);
  }

  const state::World& world_;
  const Context& context_;
  const std::string& root_;
  std::vector<BlockDevice> devices_;
  std::vector<std::string> seen_;
};

std::int64_t size_of(const BlockDevice& device) { return std::max<std::int64_t>(device.size_gib, 1); }

state::Volume make_volume(state::Transaction& transaction, const state::Instance& instance, const BlockDevice& device) {
  state::Volume volume;
  volume.account = instance.account;
  volume.id = make_id(transaction.random(), "vol");
  volume.size_gib = size_of(device);
  volume.type = device.volume_type.empty() ? "gp2" : device.volume_type;
  volume.iops = device.iops;
  volume.throughput = device.throughput;
  volume.zone = instance.zone;
  volume.host = instance.host;
  volume.snapshot_id = device.snapshot_id;
  volume.encrypted = device.encrypted || storage_defaults(transaction.world(), instance.account).encrypt_by_default;
  volume.created = transaction.now();
  volume.instance_id = instance.id;
  volume.device = device.device;
  volume.attachment_state = state::AttachmentState::attaching;
  volume.attached = transaction.now();
  volume.delete_on_termination = device.delete_on_termination;
  return volume;
}

}  // namespace

void fit_instance_stores(const domain::InstanceType& type, std::vector<BlockDevice>& stores) {
  for (auto& store : stores)
    if (has_swap(type) && mapped_name(store) == swap_mapping) store.virtual_name = swap_name;
  std::erase_if(stores, [&](const auto& store) {
    if (store.virtual_name == swap_name) return !has_swap(type);
    return store_number(store.virtual_name).value_or(type.storage_disks) >= type.storage_disks;
  });
  for (auto& store : stores) store.size_gib = store.virtual_name == swap_name ? swap_gib : type.storage_gb_each;
}

std::string mapped_name(const BlockDevice& store) {
  return std::string(store.virtual_name == swap_name ? swap_mapping : store.virtual_name);
}

void read_disks(const state::World& world, const Context& context, const RunInstancesRequest& request, Launch& launch) {
  Mapping mapping(world, context, *launch.image);
  for (const auto& asked : request.block_device_mappings) mapping.lay_over(asked);
  std::set<std::string> stores;
  for (auto& device : mapping.take()) {
    if (!device.virtual_name.empty() && !stores.insert(device.virtual_name).second)
      throw invalid_mapping(fmt::format("The instance store '{}' is mapped to more than one device", device.virtual_name));
    (device.virtual_name.empty() ? launch.disks : launch.instance_stores).push_back(std::move(device));
  }
  fit_instance_stores(*launch.type, launch.instance_stores);
  std::stable_partition(launch.disks.begin(), launch.disks.end(),
                        [&](const auto& device) { return device.device == launch.image->root_device_name; });
}

std::int64_t count_with_disks(const state::World& world, const Context& context, const Launch& launch, std::int64_t instances) {
  std::int64_t gib = 0;
  for (const auto& device : launch.disks) gib += size_of(device);
  const auto volumes = static_cast<std::int64_t>(launch.disks.size());
  while (instances > 0 && !volume_quota_exceeded(world, context, instances * volumes, instances * gib).empty()) --instances;
  return instances;
}

void make_disks(state::Transaction& transaction, const Launch& launch, const std::vector<wire::ec2::TagSpecification>& tags,
                state::Instance& instance) {
  for (const auto& device : launch.disks) {
    auto volume = make_volume(transaction, instance, device);
    instance.volume_ids.push_back(volume.id);
    tag_on_create(transaction, instance.account, volume.id, "volume", tags);
    transaction.put(std::move(volume));
  }
  instance.instance_stores = launch.instance_stores;
}

}  // namespace brume::ec2
