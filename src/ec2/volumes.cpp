#include "wire/ec2/volumes.hpp"
#include "ec2/actions.hpp"
#include "ec2/describe.hpp"
#include "ec2/tags.hpp"

namespace brume::ec2 {
namespace {

using service::Context;

const FilterField<state::Volume> volume_filters[] = {
    field<&state::Volume::id>("volume-id"),
    field<&state::Volume::size_gib>("size"),
    field<&state::Volume::state>("status"),
    field<&state::Volume::snapshot_id>("snapshot-id"),
    field<&state::Volume::type>("volume-type"),
    field<&state::Volume::zone>("availability-zone"),
    field<&state::Volume::created>("create-time"),
    field<&state::Volume::encrypted>("encrypted"),
    {"multi-attach-enabled", [](const auto&, auto& out) { out.add(false); }},
    field_if_set<&state::Volume::instance_id>("attachment.instance-id"),
    {"attachment.device",
     [](const auto& at, auto& out) {
       if (!at.record.instance_id.empty()) out.add(at.record.device);
     }},
    {"attachment.status",
     [](const auto& at, auto& out) {
       if (!at.record.instance_id.empty()) out.add(at.record.attachment_state);
     }},
    {"attachment.attach-time",
     [](const auto& at, auto& out) {
       if (!at.record.instance_id.empty()) out.add(at.record.attached);
     }},
    {"attachment.delete-on-termination",
     [](const auto& at, auto& out) {
       if (!at.record.instance_id.empty()) out.add(at.record.delete_on_termination);
     }},
};

wire::ec2::Volume describe(const state::World& world, const Context& context, const state::Volume& volume) {
  wire::ec2::Volume item;
  item.volume_id = volume.id;
  item.size = volume.size_gib;
  item.snapshot_id = volume.snapshot_id;
  item.availability_zone = volume.zone;
  item.availability_zone_id = state::zone_id_of(world, volume.account, context.services.settings.zones, volume.zone);
  item.state = volume.state;
  item.create_time = volume.created;
  item.volume_type = volume.type;
  item.encrypted = volume.encrypted;
  item.multi_attach_enabled = false;
  if (volume.iops > 0) item.iops = volume.iops;
  if (volume.throughput > 0) item.throughput = volume.throughput;
  if (!volume.instance_id.empty()) {
    auto& attachment = item.attachments.emplace_back();
    attachment.volume_id = volume.id;
    attachment.instance_id = volume.instance_id;
    attachment.device = volume.device;
    attachment.state = volume.attachment_state;
    attachment.attach_time = volume.attached;
    attachment.delete_on_termination = volume.delete_on_termination;
  }
  item.tags = tags_of(world, volume.account, volume.id);
  return item;
}

wire::ec2::DescribeVolumesResponse describe_volumes(const state::World& world, const Context& context,
                                                    const wire::ec2::DescribeVolumesRequest& request) {
  wire::ec2::DescribeVolumesResponse response;
  const Listing<state::Volume> volumes(world, context, request,
                                       {.action = "DescribeVolumes", .filters = volume_filters, .exclusive_ids = "volumeSet"});
  response.next_token =
      volumes.each(request.volume_ids, "vol", [&](const auto& volume) { response.volumes.push_back(describe(world, context, volume)); });
  return response;
}

}  // namespace

std::vector<service::Action> volume_actions() {
  return {service::read_action<wire::ec2::DescribeVolumesRequest>("DescribeVolumes", describe_volumes)};
}

}  // namespace brume::ec2
