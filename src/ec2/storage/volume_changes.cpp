// ModifyVolume and DescribeVolumesModifications. Control grows the file and, if a machine has the disk, tells the guest.
//
// As in EC2 since January 2026, the next modification may begin as soon as the last one is done, four in a day. (Before, six hours had to
// pass between two.)
#include <fmt/format.h>

#include <algorithm>

#include "ec2/common/describe.hpp"
#include "ec2/storage/volume_rules.hpp"
#include "ec2/storage/volumes.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::VolumeModification;

constexpr size_t modifications_a_day = 4;
constexpr auto day = std::chrono::hours(24);

template <std::int64_t VolumeModification::*number>
void add_if_any(const FilterSubject<VolumeModification>& at, FilterValues& out) {
  if (at.record.*number > 0) out.add(at.record.*number);
}

const FilterField<VolumeModification> modification_filters[] = {
    field<&VolumeModification::volume_id>("volume-id"),
    field<&VolumeModification::state>("modification-state"),
    field<&VolumeModification::started>("start-time"),
    {"original-size", add_if_any<&VolumeModification::original_size_gib>},
    {"original-iops", add_if_any<&VolumeModification::original_iops>},
    field<&VolumeModification::original_type>("original-volume-type"),
    {"target-size", add_if_any<&VolumeModification::target_size_gib>},
    {"target-iops", add_if_any<&VolumeModification::target_iops>},
    field<&VolumeModification::target_type>("target-volume-type"),
    field<&VolumeModification::original_multi_attach>("originalMultiAttachEnabled"),
    field<&VolumeModification::target_multi_attach>("targetMultiAttachEnabled"),
};

wire::ec2::VolumeModification describe_modification(const VolumeModification& modification) {
  wire::ec2::VolumeModification item;
  item.volume_id = modification.volume_id;
  item.modification_state = state::name_of(modification.state);
  if (!modification.state_message.empty()) item.status_message = modification.state_message;
  item.progress = modification.progress;
  item.original_size = modification.original_size_gib;
  item.original_volume_type = modification.original_type;
  if (modification.original_iops > 0) item.original_iops = modification.original_iops;
  if (modification.original_throughput > 0) item.original_throughput = modification.original_throughput;
  item.original_multi_attach_enabled = modification.original_multi_attach;
  item.target_size = modification.target_size_gib;
  item.target_volume_type = modification.target_type;
  if (modification.target_iops > 0) item.target_iops = modification.target_iops;
  if (modification.target_throughput > 0) item.target_throughput = modification.target_throughput;
  item.target_multi_attach_enabled = modification.target_multi_attach;
  item.start_time = modification.started;
  if (modification.ended != Time{}) item.end_time = modification.ended;
  return item;
}

// The volume's new figures: the requested ones, and for the rest the present ones or the new type's.
VolumeShape target_of(const state::Volume& volume, const wire::ec2::ModifyVolumeRequest& request) {
  auto target = shape_of(volume);
  if (request.size && *request.size < volume.size_gib) throw wire::invalid_parameter_value("New size cannot be smaller than existing size");
  target.size_gib = request.size.value_or(volume.size_gib);
  if (request.volume_type && *request.volume_type != volume.type) {
    target.type = *request.volume_type;
    target.iops = target.type == "io1" || target.type == "io2" ? 3000 : 0;
    target.throughput = 0;
  }
  if (request.iops) target.iops = *request.iops;
  if (request.throughput) target.throughput = *request.throughput;
  return target;
}

// Multi-Attach can be changed only for io2, and switched on only while no instance has the volume, because it is then opened in another
// way.
void check_multi_attach(const state::Volume& volume, const VolumeShape& target, bool enabled) {
  const auto attached = volume.attachments().size();
  if (volume.type == "io1" && (volume.multi_attach || enabled))
    throw wire::unsupported_operation(volume.multi_attach ? "An io1 volume with Multi-Attach cannot be modified."
                                                          : "Multi-Attach cannot be enabled for an io1 volume that exists.");
  if (enabled) check_can_multi_attach(target.type);
  if (enabled && !volume.multi_attach && attached > 0)
    throw wire::ApiError(400, "VolumeInUse", fmt::format("Multi-Attach cannot be enabled while '{}' is attached.", volume.id));
  if (!enabled && volume.multi_attach && attached > 1)
    throw wire::ApiError(400, "VolumeInUse",
                         fmt::format("Multi-Attach cannot be disabled while '{}' is attached to {} instances.", volume.id, attached));
}

void check_may_be_modified(const state::World& world, const state::Volume& volume) {
  if (volume.state != state::VolumeState::available && volume.state != state::VolumeState::in_use)
    throw wire::ApiError(400, "IncorrectState", fmt::format("Volume '{}' is in the '{}' state.", volume.id, state::name_of(volume.state)));
  const auto* last = world.find<VolumeModification>(volume.key());
  if (last != nullptr && last->state != state::ModificationState::completed && last->state != state::ModificationState::failed)
    throw wire::ApiError(
        400, "IncorrectModificationState",
        fmt::format("Cannot modify volume '{}' while a modification of it is '{}'.", volume.id, state::name_of(last->state)));
}

// Modifications of the volume begun within the day before `now`. Throws VolumeModificationRateExceeded if there may be no more.
std::vector<state::EarlierModification> modifications_of_the_day(const state::World& world, const state::Volume& volume, Time now) {
  std::vector<state::EarlierModification> recent;
  const auto* last = world.find<VolumeModification>(volume.key());
  if (last == nullptr) return recent;
  recent = last->earlier;
  recent.push_back({last->started});
  std::erase_if(recent, [&](const auto& each) { return now - each.started >= day; });
  if (recent.size() >= modifications_a_day)
    throw wire::ApiError(400, "VolumeModificationRateExceeded",
                         fmt::format("You've reached the maximum modification rate per volume limit. '{}' can be modified again at {}.",
                                     volume.id, format_iso8601(recent.front().started + day)));
  return recent;
}

wire::ec2::ModifyVolumeResponse modify_volume(state::Transaction& transaction, const Context& context,
                                              const wire::ec2::ModifyVolumeRequest& request) {
  const auto& volume = find_volume(transaction.world(), context.account(), *request.volume_id);
  if (!request.size && !request.volume_type && !request.iops && !request.throughput && !request.multi_attach_enabled)
    throw wire::missing_parameter("Size, VolumeType, Iops, Throughput or MultiAttachEnabled");
  const auto target = target_of(volume, request);
  check_volume_shape(target);
  check_may_be_modified(transaction.world(), volume);
  const bool multi_attach = request.multi_attach_enabled.value_or(volume.multi_attach);
  check_multi_attach(volume, target, multi_attach);
  auto earlier = modifications_of_the_day(transaction.world(), volume, transaction.now());
  check_volume_quota(transaction.world(), context, 0, target.size_gib - volume.size_gib);
  const auto original = shape_of(volume);
  VolumeModification modification;
  modification.account = volume.account;
  modification.volume_id = volume.id;
  modification.original_size_gib = original.size_gib;
  modification.original_type = original.type;
  modification.original_iops = iops_of(original);
  modification.original_throughput = throughput_of(original);
  modification.target_size_gib = target.size_gib;
  modification.target_type = target.type;
  modification.target_iops = iops_of(target);
  modification.target_throughput = throughput_of(target);
  modification.original_multi_attach = volume.multi_attach;
  modification.target_multi_attach = multi_attach;
  modification.started = transaction.now();
  modification.earlier = std::move(earlier);
  wire::ec2::ModifyVolumeResponse response;
  response.volume_modification = describe_modification(modification);
  transaction.put(std::move(modification));
  return response;
}

// Those of the named volumes that were ever modified; at least one must be.
void check_modified(const state::World& world, const std::string& account, const std::vector<std::string>& ids) {
  check_owned<state::Volume>(world, account, "vol", ids);
  for (const auto& id : ids)
    if (world.find<VolumeModification>(account, id) == nullptr)
      throw wire::ApiError(400, "InvalidVolumeModification.NotFound", fmt::format("Modification for volume '{}' does not exist.", id));
}

wire::ec2::DescribeVolumesModificationsResponse describe_modifications(const state::World& world, const Context& context,
                                                                       const wire::ec2::DescribeVolumesModificationsRequest& request) {
  const auto& ids = request.volume_ids;
  check_modified(world, context.account(), ids);
  const FilterSet<VolumeModification> filters(modification_filters, request.filters);
  Page page(context, "DescribeVolumesModifications", request.max_results, request.next_token, {1, 500});
  wire::ec2::DescribeVolumesModificationsResponse response;
  world.each_of<VolumeModification>(
      context.account(),
      [&](const VolumeModification& modification) {
        if (!ids.empty() && std::find(ids.begin(), ids.end(), modification.volume_id) == ids.end()) return true;
        // A volume that was deleted with its instance.
        if (world.find<state::Volume>(modification.key()) == nullptr) return true;
        if (!filters.match(world, modification, modification.account, modification.volume_id)) return true;
        if (!page.take(modification.volume_id)) return false;
        response.volumes_modifications.push_back(describe_modification(modification));
        return true;
      },
      page.after());
  response.next_token = page.next_token();
  return response;
}

}  // namespace

std::vector<service::Action> volume_change_actions() {
  using namespace wire::ec2;
  return {
      service::write_action<ModifyVolumeRequest>("ModifyVolume", modify_volume),
      service::read_action<DescribeVolumesModificationsRequest>("DescribeVolumesModifications", describe_modifications),
  };
}

}  // namespace brume::ec2
