// AttachVolume and DetachVolume (STO-030, STO-060). They say what is wanted; control plugs the disk in or out and says when it is done.
#include <fmt/format.h>

#include <algorithm>

#include "domain/instance_types.hpp"
#include "ec2/instances/instances.hpp"
#include "ec2/storage/volume_rules.hpp"
#include "ec2/storage/volumes.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::InstanceState;

// Places on a machine's bus for disks and network interfaces together, and what drivers of Windows bear (STO-006).
constexpr size_t machine_slots = 27;
constexpr size_t windows_attachment_limit = 12;
// Of a volume with Multi-Attach.
constexpr size_t most_instances = 16;

wire::ApiError incorrect_state(std::string message) { return {400, "IncorrectState", std::move(message)}; }

// Only then is it known which disks the machine has.
void check_instance_rests(const state::Instance& instance) {
  const auto current = instance.state;
  if (current != InstanceState::running && current != InstanceState::stopped)
    throw incorrect_state(fmt::format("Instance '{}' is not 'running'.", instance.id));
}

// What EC2 asks for besides what it asks for of any volume.
void check_volume_may_be_shared(const state::Volume& volume, const state::Instance& instance, const std::string& device) {
  if (volume.attachments().size() >= most_instances)
    throw wire::ApiError(
        400, "AttachmentLimitExceeded",
        fmt::format("The volume '{}' is attached to {} instances already, which is the limit.", volume.id, most_instances));
  if (const auto* type = domain::find_instance_type(instance.type); type != nullptr && type->hypervisor() != "nitro")
    throw wire::unsupported_operation(fmt::format(
        "A volume with Multi-Attach cannot be attached to instances of the type {}, which is not built on Nitro.", instance.type));
  if (instance.platform == "windows" && volume.type == "io1")
    throw wire::unsupported_operation("An io1 volume with Multi-Attach cannot be attached to a Windows instance.");
  if (is_same_device(device, instance.root_device_name))
    throw wire::unsupported_operation("A volume with Multi-Attach cannot be the root volume of an instance.");
}

void check_may_be_attached(const state::Volume& volume, const state::Instance& instance, const std::string& device) {
  if (volume.multi_attach ? volume.attachment_to(instance.id) != nullptr : !volume.instance_id.empty())
    throw wire::ApiError(400, "VolumeInUse", fmt::format("{} is already attached to an instance", volume.id));
  if (volume.state != state::VolumeState::available && !(volume.multi_attach && volume.state == state::VolumeState::in_use))
    throw incorrect_state(fmt::format("{} is not 'available'.", volume.id));
  check_instance_rests(instance);
  if (volume.zone != instance.zone)
    throw wire::ApiError(400, "InvalidVolume.ZoneMismatch",
                         fmt::format("The volume '{}' is not in the same availability zone as instance '{}'", volume.id, instance.id));
  if (volume.host != instance.host)
    throw wire::unsupported_operation(
        fmt::format("The volume '{}' lies on {}, and the instance '{}' runs on {}: a volume is attached on its own host.", volume.id,
                    volume.host, instance.id, instance.host));
  if (volume.multi_attach) check_volume_may_be_shared(volume, instance, device);
}

void check_place(const state::World& world, const state::Instance& instance, const std::string& device) {
  check_device_name(device);
  const auto refuse = [&] {
    throw wire::invalid_parameter_value(fmt::format("Invalid value '{0}' for unixDevice. Attachment point {0} is already in use", device));
  };
  for (const auto& id : instance.volume_ids)
    if (const auto* other = world.find<state::Volume>(instance.account, id); other != nullptr)
      if (const auto* at = other->attachment_to(instance.id); at != nullptr && is_same_device(at->device, device)) refuse();
  for (const auto& store : instance.instance_stores)
    if (is_same_device(store.device, device)) refuse();
  const auto used = instance.volume_ids.size() + instance.instance_stores.size() + instance.interface_ids.size();
  if (used >= machine_slots || (instance.platform == "windows" && instance.volume_ids.size() >= windows_attachment_limit))
    throw wire::ApiError(
        400, "AttachmentLimitExceeded",
        fmt::format("The instance '{}' has no place left for another volume; it has {}.", instance.id, instance.volume_ids.size()));
}

wire::ec2::VolumeAttachment attach_volume(state::Transaction& transaction, const Context& context,
                                          const wire::ec2::AttachVolumeRequest& request) {
  const auto& world = transaction.world();
  auto volume = find_volume(world, context.account(), *request.volume_id);
  auto instance = *find_instances(world, context.account(), {*request.instance_id}).front();
  check_may_be_attached(volume, instance, *request.device);
  check_place(world, instance, *request.device);
  if (request.ebs_card_index.value_or(0) != 0) throw wire::unsupported_operation("There is one card for volumes, of index 0.");
  volume.state = state::VolumeState::in_use;
  // However it came to be: attached by hand it stays when the instance goes (STO-012).
  const state::VolumeAttachment attachment{.instance_id = instance.id,
                                           .device = *request.device,
                                           .attachment_state = state::AttachmentState::attaching,
                                           .attached = transaction.now(),
                                           .served = volume.multi_attach};
  auto answer = describe_attachment(volume, attachment);
  volume.attach(attachment);
  // A root that comes back is the disk that the machine boots from.
  const bool is_root = is_same_device(attachment.device, instance.root_device_name);
  instance.volume_ids.insert(is_root ? instance.volume_ids.begin() : instance.volume_ids.end(), volume.id);
  transaction.put(std::move(instance));
  transaction.put(std::move(volume));
  return answer;
}

// The one that is to end.
state::VolumeAttachment& find_attachment(state::Volume& volume, const wire::ec2::DetachVolumeRequest& request) {
  if (volume.instance_id.empty())
    throw incorrect_state(fmt::format("Volume '{}' is in the '{}' state.", volume.id, state::name_of(volume.state)));
  const auto instance = request.instance_id.value_or("");
  if (volume.multi_attach && instance.empty()) throw wire::missing_parameter("InstanceId");
  auto* attachment = instance.empty() ? &volume : volume.attachment_to(instance);
  if (attachment == nullptr)
    throw wire::ApiError(400, "InvalidAttachment.NotFound",
                         fmt::format("Volume '{}' is not attached to instance '{}'.", volume.id, instance));
  if (request.device && !is_same_device(*request.device, attachment->device))
    throw wire::ApiError(400, "InvalidAttachment.NotFound",
                         fmt::format("Volume '{}' is not attached at device '{}'.", volume.id, *request.device));
  return *attachment;
}

// A volume that leaves is none of the instance's any more: whatever comes, it is not deleted with it.
void spare(state::Transaction& transaction, const state::Volume& volume, const std::string& instance_id) {
  const auto* found = transaction.find<state::Dependents>(volume.account, instance_id);
  if (found == nullptr) return;
  auto dependents = *found;
  std::erase(dependents.volumes, volume.id);
  transaction.put(std::move(dependents));
}

wire::ec2::VolumeAttachment detach_volume(state::Transaction& transaction, const Context& context,
                                          const wire::ec2::DetachVolumeRequest& request) {
  const auto& world = transaction.world();
  auto volume = find_volume(world, context.account(), *request.volume_id);
  if (request.instance_id && !request.instance_id->empty()) find_instances(world, context.account(), {*request.instance_id});
  auto& attachment = find_attachment(volume, request);
  const auto& instance = *find_instances(world, context.account(), {attachment.instance_id}).front();
  check_instance_rests(instance);
  if (instance.state == InstanceState::running && is_same_device(attachment.device, instance.root_device_name))
    throw wire::ApiError(400, "OperationNotPermitted",
                         fmt::format("Unable to detach root volume '{}' from instance '{}'", volume.id, instance.id));
  attachment.detach_forced = attachment.detach_forced || request.force.value_or(false);
  attachment.attachment_state = state::AttachmentState::detaching;
  spare(transaction, volume, instance.id);
  attachment.delete_on_termination = false;
  auto answer = describe_attachment(volume, attachment);
  transaction.put(std::move(volume));
  return answer;
}

}  // namespace

std::vector<service::Action> volume_attachment_actions() {
  using namespace wire::ec2;
  return {
      service::write_action<AttachVolumeRequest>("AttachVolume", attach_volume),
      service::write_action<DetachVolumeRequest>("DetachVolume", detach_volume),
  };
}

}  // namespace brume::ec2
