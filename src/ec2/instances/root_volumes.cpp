// CreateReplaceRootVolumeTask: a running instance gets another root volume, of the snapshot that its first one was made of, of a snapshot
// of its root, or of an image. Control restarts the guest for it (control/root_volumes.cpp).
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "ec2/actions.hpp"
#include "ec2/common/client_tokens.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/images/images.hpp"
#include "ec2/instances/instances.hpp"
#include "ec2/storage/snapshots.hpp"
#include "ec2/storage/volume_rules.hpp"
#include "wire/ec2/root_volumes.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::RootReplacement;

constexpr auto kept = std::chrono::hours(24 * 30);  // of tasks that are over

bool is_over(const RootReplacement& task) {
  return task.state == state::RootReplacementState::succeeded || task.state == state::RootReplacementState::failed;
}

const FilterField<RootReplacement> task_filters[] = {
    field<&RootReplacement::instance_id>("instance-id"),
};

wire::ec2::ReplaceRootVolumeTask describe_root_task(const state::World& world, const RootReplacement& task) {
  wire::ec2::ReplaceRootVolumeTask shown;
  shown.replace_root_volume_task_id = task.id;
  shown.instance_id = task.instance_id;
  shown.task_state = state::name_of(task.state);
  shown.start_time = format_iso8601(task.started);
  if (is_over(task)) shown.complete_time = format_iso8601(task.ended);
  if (!task.image_id.empty()) shown.image_id = task.image_id;
  if (task.image_id.empty()) shown.snapshot_id = task.snapshot_id;
  shown.delete_replaced_root_volume = task.delete_replaced;
  shown.tags = tags_of(world, task.account, task.id);
  return shown;
}

const state::Volume& root_of(const state::World& world, const state::Instance& instance) {
  for (const auto& id : instance.volume_ids)
    if (const auto* volume = world.find<state::Volume>(instance.account, id);
        volume != nullptr && volume->instance_id == instance.id && is_same_device(volume->device, instance.root_device_name))
      return *volume;
  throw wire::ApiError(400, "IncorrectInstanceState", fmt::format("The instance '{}' has no root volume.", instance.id));
}

// The image's root, if the image could have launched this instance.
std::string snapshot_of_image(const state::World& world, const Context& context, const state::Instance& instance, const std::string& id) {
  const auto& image = find_image(world, context.account(), id);
  if (image.state != state::ImageState::available)
    throw wire::ApiError(400, "InvalidAMIID.Unavailable", fmt::format("The image ID '{}' is not available", id));
  if (image.architecture != instance.architecture || image.virtualization_type != instance.virtualization_type ||
      image.platform != instance.platform)
    throw wire::invalid_parameter_value(
        fmt::format("The image '{}' is of another architecture, virtualization type or platform than the instance.", id));
  for (const auto& device : image.block_devices)
    if (is_same_device(device.device, image.root_device_name) && !device.snapshot_id.empty()) return device.snapshot_id;
  throw wire::invalid_parameter_value(fmt::format("The image '{}' has no root volume.", id));
}

// It must be a snapshot of a root that this instance has or had, or the one that a root was made of.
void check_lineage(const state::World& world, const state::Volume& root, const state::Snapshot& snapshot) {
  std::set<std::string> volumes = {root.id};
  std::set<std::string> snapshots = {root.snapshot_id};
  world.each_of<RootReplacement>(root.account, [&](const RootReplacement& task) {
    if (task.instance_id != root.instance_id || task.state != state::RootReplacementState::succeeded) return;
    volumes.insert(task.replaced_volume_id);
    snapshots.insert(task.snapshot_id);
  });
  if (volumes.count(snapshot.volume_id) == 0 && snapshots.count(snapshot.id) == 0)
    throw wire::invalid_parameter_value(
        fmt::format("The snapshot '{}' is not one of the root volume of the instance '{}'.", snapshot.id, root.instance_id));
}

const state::Snapshot& choose_snapshot(const state::World& world, const Context& context, const state::Instance& instance,
                                       const state::Volume& root, const wire::ec2::CreateReplaceRootVolumeTaskRequest& request) {
  if (request.image_id && request.snapshot_id)
    throw wire::invalid_parameter_combination("Either ImageId or SnapshotId is said, or neither.");
  if (request.image_id) {
    const auto* snapshot =
        world.find_indexed<state::Snapshot>(state::Index::snapshot_by_id, snapshot_of_image(world, context, instance, *request.image_id));
    if (snapshot == nullptr || snapshot->state != state::SnapshotState::completed)
      throw wire::ApiError(400, "InvalidAMIID.Unavailable", fmt::format("The image ID '{}' is not available", *request.image_id));
    return *snapshot;
  }
  if (request.snapshot_id) {
    const auto& snapshot = find_restorable_snapshot(world, context.account(), *request.snapshot_id);
    check_lineage(world, root, snapshot);
    return snapshot;
  }
  // As it was launched. Who may have the instance may have that, whoever's image it was.
  const auto* snapshot = world.find_indexed<state::Snapshot>(state::Index::snapshot_by_id, root.snapshot_id);
  if (snapshot == nullptr || snapshot->state != state::SnapshotState::completed)
    throw wire::ApiError(400, "InvalidSnapshot.NotFound",
                         fmt::format("What the root volume '{}' was made of is not there any more.", root.id));
  return *snapshot;
}

void check_idle(const state::World& world, const state::Instance& instance) {
  if (instance.state != state::InstanceState::running) throw incorrect_instance_state(instance, "replaced the root volume of");
  world.each_of<RootReplacement>(instance.account, [&](const RootReplacement& task) {
    if (task.instance_id == instance.id && !is_over(task))
      throw wire::ApiError(400, "IncorrectState",
                           fmt::format("The root volume of '{}' is being replaced by the task '{}'.", instance.id, task.id));
  });
}

void forget_old(state::Transaction& transaction, const std::string& account) {
  std::vector<std::string> old;
  transaction.world().each_of<RootReplacement>(account, [&](const RootReplacement& task) {
    if (is_over(task) && transaction.now() - task.ended > kept) old.push_back(task.id);
  });
  for (const auto& id : old) {
    transaction.erase<RootReplacement>(state::owned_key(account, id));
    erase_tags(transaction, account, id);
  }
}

// Like the one that it takes the place of, but for what is in it.
state::Volume make_root(state::Transaction& transaction, const state::Volume& replaced, const state::Snapshot& snapshot) {
  state::Volume volume;
  volume.account = replaced.account;
  volume.id = make_id(transaction.random(), "vol");
  volume.size_gib = std::max(replaced.size_gib, snapshot.size_gib);
  volume.type = replaced.type;
  volume.iops = replaced.iops;
  volume.throughput = replaced.throughput;
  volume.zone = replaced.zone;
  volume.host = replaced.host;
  volume.snapshot_id = snapshot.id;
  volume.encrypted = replaced.encrypted || snapshot.encrypted || storage_defaults(transaction.world(), replaced.account).encrypt_by_default;
  volume.created = transaction.now();
  return volume;
}

wire::ec2::CreateReplaceRootVolumeTaskResponse create_task(state::Transaction& transaction, const Context& context,
                                                           const wire::ec2::CreateReplaceRootVolumeTaskRequest& request) {
  wire::ec2::CreateReplaceRootVolumeTaskResponse response;
  const auto token = request.client_token.value_or("");
  if (!token.empty())
    if (const auto made = find_made(transaction, context, "CreateReplaceRootVolumeTask", token); !made.empty()) {
      const auto* task = transaction.find<RootReplacement>(context.account(), made);
      if (task == nullptr) throw id_unknown("replacevol", made);
      response.replace_root_volume_task = describe_root_task(transaction.world(), *task);
      return response;
    }
  check_tag_types(request.tag_specifications, {"replace-root-volume-task"});
  const auto& world = transaction.world();
  const auto& instance = find_instance(world, context.account(), *request.instance_id);
  check_idle(world, instance);
  const auto& root = root_of(world, instance);
  const auto& snapshot = choose_snapshot(world, context, instance, root, request);
  auto volume = make_root(transaction, root, snapshot);
  if (snapshot.host != root.host)
    throw wire::unsupported_operation(
        fmt::format("The snapshot '{}' lies on {}, and the instance '{}' runs on {}: a root volume is made where "
                    "its snapshot lies.",
                    snapshot.id, snapshot.host, instance.id, root.host));
  if (request.volume_initialization_rate)
    throw wire::unsupported_operation("VolumeInitializationRate is not supported: a volume of a snapshot is whole from the beginning.");
  check_volume_quota(world, context, 1, volume.size_gib);
  RootReplacement task;
  task.account = instance.account;
  task.id = make_id(transaction.random(), "replacevol");
  task.instance_id = instance.id;
  task.image_id = request.image_id.value_or("");
  task.snapshot_id = snapshot.id;
  task.volume_id = volume.id;
  task.replaced_volume_id = root.id;
  task.delete_replaced = request.delete_replaced_root_volume.value_or(false);
  task.started = transaction.now();
  forget_old(transaction, task.account);
  tag_on_create(transaction, task.account, task.id, "replace-root-volume-task", request.tag_specifications);
  if (!token.empty()) remember_made(transaction, context, "CreateReplaceRootVolumeTask", token, task.id);
  transaction.put(std::move(volume));
  transaction.put(task);
  response.replace_root_volume_task = describe_root_task(transaction.world(), task);
  return response;
}

wire::ec2::DescribeReplaceRootVolumeTasksResponse describe_tasks(const state::World& world, const Context& context,
                                                                 const wire::ec2::DescribeReplaceRootVolumeTasksRequest& request) {
  wire::ec2::DescribeReplaceRootVolumeTasksResponse response;
  const Listing<RootReplacement> tasks(world, context, request,
                                       {.action = "DescribeReplaceRootVolumeTasks", .filters = task_filters, .limits = {1, 50}});
  response.next_token = tasks.each(request.replace_root_volume_task_ids, "replacevol", [&](const RootReplacement& task) {
    response.replace_root_volume_tasks.push_back(describe_root_task(world, task));
  });
  return response;
}

}  // namespace

std::vector<service::Action> root_volume_actions() {
  using namespace wire::ec2;
  return {
      service::write_action<CreateReplaceRootVolumeTaskRequest>("CreateReplaceRootVolumeTask", create_task),
      service::read_action<DescribeReplaceRootVolumeTasksRequest>("DescribeReplaceRootVolumeTasks", describe_tasks),
  };
}

}  // namespace brume::ec2
