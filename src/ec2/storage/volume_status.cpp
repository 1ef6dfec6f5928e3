// DescribeVolumeStatus, and the attributes that belong to it: whether I/O continues after trouble, and product codes.
#include <fmt/format.h>

#include "domain/zones.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/storage/volume_rules.hpp"
#include "ec2/storage/volumes.hpp"

namespace brume::ec2 {
namespace {

using service::Context;

// Whether an instance is paused because the host failed to read or write this volume, or has no room for it.
bool stands_still(const state::World& world, const state::Volume& volume) {
  // Control's record names the disk as the machine does: the volume's id without its dash.
  auto disk = volume.id;
  std::erase(disk, '-');
  const auto attachments = volume.attachments();
  return std::any_of(attachments.begin(), attachments.end(), [&](const auto* attachment) {
    const auto* instance = world.find<state::Instance>(volume.account, attachment->instance_id);
    return instance != nullptr && instance->impairment.find(disk) != std::string::npos;
  });
}

// What is known about a volume's health. One whose file could not be made, or whose guest waits for the host's disk, is impaired; while it
// is being made nothing is known.
std::string_view overall(const state::World& world, const state::Volume& volume) {
  if (volume.state == state::VolumeState::error || stands_still(world, volume)) return "impaired";
  return volume.state == state::VolumeState::creating ? "insufficient-data" : "ok";
}
std::string_view io_enabled(const state::World& world, const state::Volume& volume) {
  if (volume.state == state::VolumeState::error || stands_still(world, volume)) return "failed";
  return volume.state == state::VolumeState::creating ? "insufficient-data" : "passed";
}
// Only volumes with IOPS of their own are watched for them, and nothing here does that yet.
constexpr std::string_view io_performance = "not-applicable";

const FilterField<state::Volume> status_filters[] = {
    field<&state::Volume::zone>("availability-zone"),
    {"volume-status.status", [](const auto& at, auto& out) { out.add(overall(at.world, at.record)); }},
    {"volume-status.details-name",
     [](const auto&, auto& out) {
       out.add("io-enabled");
       out.add("io-performance");
     }},
    {"volume-status.details-status",
     [](const auto& at, auto& out) {
       out.add(io_enabled(at.world, at.record));
       out.add(io_performance);
     }},
    // There are no events, and nothing to be done about them.
    {"action.code", [](const auto&, auto&) {}},
    {"action.description", [](const auto&, auto&) {}},
    {"action.event-id", [](const auto&, auto&) {}},
    {"event.description", [](const auto&, auto&) {}},
    {"event.event-id", [](const auto&, auto&) {}},
    {"event.event-type", [](const auto&, auto&) {}},
    {"event.not-after", [](const auto&, auto&) {}},
    {"event.not-before", [](const auto&, auto&) {}},
};

wire::ec2::VolumeStatusItem describe_status_of_volume(const state::World& world, const Context& context, const state::Volume& volume) {
  wire::ec2::VolumeStatusItem item;
  item.volume_id = volume.id;
  item.availability_zone = volume.zone;
  item.availability_zone_id = domain::zone_id_of(world, volume.account, context.services.settings.zones, volume.zone);
  auto& status = item.volume_status.emplace();
  status.status = overall(world, volume);
  auto& enabled = status.details.emplace_back();
  enabled.name = "io-enabled";
  enabled.status = io_enabled(world, volume);
  auto& performance = status.details.emplace_back();
  performance.name = "io-performance";
  performance.status = io_performance;
  return item;
}

wire::ec2::DescribeVolumeStatusResponse describe_volume_status(const state::World& world, const Context& context,
                                                               const wire::ec2::DescribeVolumeStatusRequest& request) {
  wire::ec2::DescribeVolumeStatusResponse response;
  const Listing<state::Volume> volumes(world, context, request,
                                       {.action = "DescribeVolumeStatus", .filters = status_filters, .exclusive_ids = "volumeSet"});
  response.next_token = volumes.each(request.volume_ids, "vol", [&](const state::Volume& volume) {
    response.volume_statuses.push_back(describe_status_of_volume(world, context, volume));
  });
  return response;
}

wire::ec2::DescribeVolumeAttributeResponse describe_volume_attribute(const state::World& world, const Context& context,
                                                                     const wire::ec2::DescribeVolumeAttributeRequest& request) {
  const auto& volume = find_volume(world, context.account(), *request.volume_id);
  wire::ec2::DescribeVolumeAttributeResponse response;
  response.volume_id = volume.id;
  if (*request.attribute == "autoEnableIO")
    response.auto_enable_io.emplace().value = volume.auto_enable_io;
  else if (*request.attribute == "productCodes")
    response.product_codes.emplace();  // no volume here has any
  else
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter attribute is invalid. Unknown attribute.", *request.attribute));
  return response;
}

service::Done modify_volume_attribute(state::Transaction& transaction, const Context& context,
                                      const wire::ec2::ModifyVolumeAttributeRequest& request) {
  auto volume = find_volume(transaction.world(), context.account(), *request.volume_id);
  if (!request.auto_enable_io || !request.auto_enable_io->value) throw wire::missing_parameter("AutoEnableIO.Value");
  volume.auto_enable_io = *request.auto_enable_io->value;
  transaction.put(std::move(volume));
  return {};
}

// Nothing here blocks a volume's I/O until somebody enables it: it resumes by itself when the host's disk does, with AutoEnableIO or
// without. So it is enabled already; but the volume must exist.
service::Done enable_volume_io(const state::World& world, const Context& context, const wire::ec2::EnableVolumeIORequest& request) {
  const auto& volume = find_volume(world, context.account(), *request.volume_id);
  if (volume.state != state::VolumeState::available && volume.state != state::VolumeState::in_use)
    throw wire::ApiError(400, "IncorrectState", fmt::format("Volume '{}' is in the '{}' state.", volume.id, state::name_of(volume.state)));
  return {};
}

}  // namespace

std::vector<service::Action> volume_status_actions() {
  using namespace wire::ec2;
  return {
      service::read_action<DescribeVolumeStatusRequest>("DescribeVolumeStatus", describe_volume_status),
      service::read_action<DescribeVolumeAttributeRequest>("DescribeVolumeAttribute", describe_volume_attribute),
      service::write_action<ModifyVolumeAttributeRequest>("ModifyVolumeAttribute", modify_volume_attribute),
      service::read_action<EnableVolumeIORequest>("EnableVolumeIO", enable_volume_io),
  };
}

}  // namespace brume::ec2
