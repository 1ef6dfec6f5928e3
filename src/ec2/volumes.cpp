#include <algorithm>

#include "ec2/actions.hpp"
#include "ec2/filters.hpp"
#include "ec2/paging.hpp"
#include "ec2/resource_ids.hpp"
#include "ec2/tags.hpp"
#include "wire/ec2/volumes.hpp"

namespace brume::ec2 {
namespace {

using service::Context;

const FilterField<state::Volume> volume_filters[] = {
    {"volume-id", [](const auto& at, auto& out) { out.add(at.record.id); }},
    {"size", [](const auto& at, auto& out) { out.add(at.record.size_gib); }},
    {"status", [](const auto& at, auto& out) { out.add(at.record.state); }},
    {"snapshot-id", [](const auto& at, auto& out) { out.add(at.record.snapshot_id); }},
    {"volume-type", [](const auto& at, auto& out) { out.add(at.record.type); }},
    {"availability-zone", [](const auto& at, auto& out) { out.add(at.record.zone); }},
    {"create-time", [](const auto& at, auto& out) { out.add(at.record.created); }},
    {"encrypted", [](const auto& at, auto& out) { out.add(at.record.encrypted); }},
    {"multi-attach-enabled", [](const auto&, auto& out) { out.add(false); }},
    {"attachment.instance-id",
     [](const auto& at, auto& out) {
       if (!at.record.instance_id.empty()) out.add(at.record.instance_id);
     }},
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
  for (const auto& zone : context.services.settings.zones)
    if (zone.name == volume.zone) item.availability_zone_id = zone.id;
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
  std::vector<std::string> unknown;
  for (const auto& id : request.volume_ids) {
    check_id("vol", "VolumeID", id);
    if (world.find<state::Volume>(context.account(), id) == nullptr) unknown.push_back(id);
  }
  if (!unknown.empty())
    throw wire::ApiError(400, "InvalidVolume.NotFound", fmt::format("The volume '{}' does not exist.", fmt::join(unknown, ", ")));
  if (!request.volume_ids.empty() && request.max_results)
    throw wire::invalid_parameter_combination("The parameter volumeSet cannot be used with the parameter maxResults");
  const FilterSet<state::Volume> filters(volume_filters, request.filters);
  Page page("DescribeVolumes", request.max_results, request.next_token);
  wire::ec2::DescribeVolumesResponse response;
  world.each_of<state::Volume>(
      context.account(),
      [&](const state::Volume& volume) {
        const auto& ids = request.volume_ids;
        if (!ids.empty() && std::find(ids.begin(), ids.end(), volume.id) == ids.end()) return true;
        if (!filters.match(world, volume)) return true;
        if (!page.take(volume.id)) return false;
        response.volumes.push_back(describe(world, context, volume));
        return true;
      },
      page.after());
  response.next_token = page.next_token();
  return response;
}

}  // namespace

std::vector<service::Action> volume_actions() {
  return {service::read_action<wire::ec2::DescribeVolumesRequest>("DescribeVolumes", describe_volumes)};
}

}  // namespace brume::ec2
