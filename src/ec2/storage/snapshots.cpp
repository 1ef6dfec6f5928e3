// Snapshots: making, copying, deleting and describing them (STO-050 ff.). Who may use them is in snapshot_attributes.cpp.
#include "ec2/storage/snapshots.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ec2/actions.hpp"
#include "ec2/common/filters.hpp"
#include "ec2/common/paging.hpp"
#include "ec2/common/resource_ids.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/instances/instances.hpp"
#include "ec2/storage/volume_rules.hpp"
#include "ec2/storage/volumes.hpp"

namespace brume::ec2 {
namespace {

using service::Context;

// Of a snapshot that is no volume's of this account.
constexpr std::string_view volume_of_a_copy = "vol-ffffffff";

std::string progress_of(const state::Snapshot& snapshot) {
  if (snapshot.state == state::SnapshotState::completed) return "100%";
  // At the very start, and of an import, of which nothing is known before its end.
  if (snapshot.progress <= 0 || snapshot.progress >= 100) return {};
  return fmt::format("{}%", snapshot.progress);
}

const FilterField<state::Snapshot> snapshot_filters[] = {
    field<&state::Snapshot::id>("snapshot-id"),
    field<&state::Snapshot::volume_id>("volume-id"),
    field<&state::Snapshot::size_gib>("volume-size"),
    field<&state::Snapshot::state>("status"),
    field<&state::Snapshot::started>("start-time"),
    {"progress", [](const auto& at, auto& out) { out.add(progress_of(at.record)); }},
    field<&state::Snapshot::description>("description"),
    field<&state::Snapshot::encrypted>("encrypted"),
    field<&state::Snapshot::account>("owner-id"),
    {"owner-alias", [](const auto&, auto&) {}},
    {"storage-tier", [](const auto&, auto& out) { out.add("standard"); }},
    {"transfer-type",
     [](const auto& at, auto& out) {
       if (!at.record.copy_of.empty()) out.add("standard");
     }},
};

wire::ec2::Snapshot describe_snapshot(const state::World& world, const Context& context, const state::Snapshot& snapshot) {
  wire::ec2::Snapshot item;
  item.snapshot_id = snapshot.id;
  item.volume_id = snapshot.volume_id.empty() ? std::string(volume_of_a_copy) : snapshot.volume_id;
  item.state = state::name_of(snapshot.state);
  if (!snapshot.state_message.empty()) item.state_message = snapshot.state_message;
  item.start_time = snapshot.started;
  item.progress = progress_of(snapshot);
  item.owner_id = snapshot.account;
  item.volume_size = snapshot.size_gib;
  item.description = snapshot.description;
  item.encrypted = snapshot.encrypted;
  if (snapshot.encrypted) item.kms_key_id = key_arn(context, snapshot.account);
  item.storage_tier = "standard";
  if (snapshot.state == state::SnapshotState::completed && snapshot.completed != Time{}) item.completion_time = snapshot.completed;
  if (!snapshot.copy_of.empty()) item.transfer_type = "standard";
  // Tags are the owner's: others do not see them.
  if (snapshot.account == context.account())
    if (auto tags = tags_of(world, snapshot.account, snapshot.id); !tags.empty()) item.tags = std::move(tags);
  return item;
}

bool is_shared_with(const state::Snapshot& snapshot, const std::string& account) {
  const auto& accounts = snapshot.create_volume_accounts;
  return std::find(accounts.begin(), accounts.end(), account) != accounts.end();
}

bool is_owned_as_asked(const state::Snapshot& snapshot, const std::vector<std::string>& owners, const std::string& account) {
  if (owners.empty()) return true;
  return std::any_of(owners.begin(), owners.end(), [&](const std::string& owner) {
    return owner == snapshot.account || (owner == "self" && snapshot.account == account);
  });
}

// "all" stands for the public ones, an account for those that it owns or that name it.
bool is_restorable_as_asked(const state::Snapshot& snapshot, const std::vector<std::string>& users, const std::string& account) {
  if (users.empty()) return true;
  return std::any_of(users.begin(), users.end(), [&](const std::string& user) {
    if (user == "all") return snapshot.is_public;
    const auto& wanted = user == "self" ? account : user;
    return snapshot.account == wanted || is_shared_with(snapshot, wanted);
  });
}

// Accounts, "self" and one word more.
void check_users(const std::vector<std::string>& users, std::string_view word) {
  for (const auto& user : users)
    if (user != "self" && user != word) check_account_id(user);
}

void check_snapshot_ids(const state::World& world, const std::vector<std::string>& ids) {
  std::vector<std::string> unknown;
  for (const auto& id : ids) {
    check_id("snap", id);
    const auto* snapshot = world.find_indexed<state::Snapshot>(state::Index::snapshot_by_id, id);
    if (snapshot == nullptr || snapshot->state == state::SnapshotState::deleting) unknown.push_back(id);
  }
  if (!unknown.empty()) throw ids_unknown("snap", unknown);
}

wire::ec2::DescribeSnapshotsResponse describe_snapshots(const state::World& world, const Context& context,
                                                        const wire::ec2::DescribeSnapshotsRequest& request) {
  const auto& account = context.account();
  const auto& ids = request.snapshot_ids;
  check_users(request.owner_ids, "amazon");
  check_users(request.restorable_by_user_ids, "all");
  // An id that there is, but not for this account, is left out without a word (STO-051).
  check_snapshot_ids(world, ids);
  if (!ids.empty() && request.max_results)
    throw wire::invalid_parameter_combination("The parameter snapshotSet cannot be used with the parameter maxResults");
  const FilterSet<state::Snapshot> filters(snapshot_filters, request.filters);
  Page page(context, "DescribeSnapshots", request.max_results, request.next_token);
  wire::ec2::DescribeSnapshotsResponse response;
  world.each<state::Snapshot>(
      "",
      [&](const state::Snapshot& snapshot) {
        if (!ids.empty() && std::find(ids.begin(), ids.end(), snapshot.id) == ids.end()) return true;
        if (snapshot.state == state::SnapshotState::deleting || !may_restore(world, snapshot, account)) return true;
        if (!is_owned_as_asked(snapshot, request.owner_ids, account) ||
            !is_restorable_as_asked(snapshot, request.restorable_by_user_ids, account))
          return true;
        // Another account's tags match nothing.
        if (!filters.match(world, snapshot, account, snapshot.id)) return true;
        if (!page.take(snapshot.key())) return false;
        response.snapshots.push_back(describe_snapshot(world, context, snapshot));
        return true;
      },
      page.after());
  response.next_token = page.next_token();
  return response;
}

void refuse_outposts(const std::optional<std::string>& outpost, const std::optional<std::string>& location) {
  refuse_local_zones(location, "location");
  if (outpost) throw wire::unsupported_operation("There are no Outposts here.");
}

wire::ec2::Snapshot create_snapshot(state::Transaction& transaction, const Context& context,
                                    const wire::ec2::CreateSnapshotRequest& request) {
  check_tag_types(request.tag_specifications, {"snapshot"});
  check_description(request.description.value_or(""));
  const auto& volume = find_volume(transaction.world(), context.account(), *request.volume_id);
  check_can_be_snapshot(volume);
  refuse_outposts(request.outpost_arn, request.location);
  check_snapshot_quota(transaction.world(), context, 1);
  auto snapshot = begin_snapshot(transaction, volume, request.description.value_or(""));
  tag_on_create(transaction, snapshot.account, snapshot.id, "snapshot", request.tag_specifications);
  transaction.put(snapshot);
  auto shown = describe_snapshot(transaction.world(), context, snapshot);
  if (!shown.tags && !context.is_2011()) shown.tags.emplace();  // the answer of the creation shows that there are none
  return shown;
}

// The volumes of the instance that are asked for, each checked.
std::vector<const state::Volume*> volumes_to_copy(const state::World& world, const state::Instance& instance,
                                                  const wire::ec2::InstanceSpecification& asked) {
  const auto& excluded = asked.exclude_data_volume_ids;
  for (const auto& id : excluded) {
    const auto& volume = find_volume(world, instance.account, id);
    const auto* attachment = volume.attachment_to(instance.id);
    if (attachment == nullptr || is_same_device(attachment->device, instance.root_device_name))
      throw wire::invalid_parameter_value(fmt::format("Volume '{}' is not a data volume of instance '{}'.", id, instance.id));
  }
  std::vector<const state::Volume*> volumes;
  for (const auto& id : instance.volume_ids) {
    const auto* volume = world.find<state::Volume>(instance.account, id);
    const auto* attachment = volume == nullptr ? nullptr : volume->attachment_to(instance.id);
    if (attachment == nullptr || attachment->attachment_state == state::AttachmentState::detaching) continue;
    if (asked.exclude_boot_volume.value_or(false) && is_same_device(attachment->device, instance.root_device_name)) continue;
    if (std::find(excluded.begin(), excluded.end(), id) != excluded.end()) continue;
    check_can_be_snapshot(*volume);
    volumes.push_back(volume);
  }
  if (volumes.empty()) throw wire::invalid_parameter_value(fmt::format("No volume of instance '{}' is left to be copied.", instance.id));
  return volumes;
}

// The volume's tags and the ones asked for, of which the latter count.
std::vector<wire::ec2::TagSpecification> with_tags_of(const state::World& world, const state::Volume& volume,
                                                      std::vector<wire::ec2::TagSpecification> specifications) {
  const auto is_asked = [&](const wire::ec2::Tag& tag) {
    for (const auto& specification : specifications)
      for (const auto& other : specification.tags)
        if (other.key == tag.key) return true;
    return false;
  };
  wire::ec2::TagSpecification copied;
  copied.resource_type = "snapshot";
  for (const auto& tag : tags_of(world, volume.account, volume.id))
    if (!is_asked(tag) && !tag.key->starts_with("aws:")) copied.tags.push_back(tag);
  if (specifications.empty())
    specifications.push_back(std::move(copied));
  else
    specifications.front().tags.insert(specifications.front().tags.end(), copied.tags.begin(), copied.tags.end());
  return specifications;
}

wire::ec2::SnapshotInfo describe_of_set(const wire::ec2::Snapshot& snapshot) {
  wire::ec2::SnapshotInfo info;
  info.snapshot_id = snapshot.snapshot_id;
  info.volume_id = snapshot.volume_id;
  info.volume_size = snapshot.volume_size;
  info.state = snapshot.state;
  info.start_time = snapshot.start_time;
  info.progress = snapshot.progress;
  info.owner_id = snapshot.owner_id;
  info.description = snapshot.description;
  info.encrypted = snapshot.encrypted;
  if (snapshot.tags) info.tags = *snapshot.tags;
  return info;
}

wire::ec2::CreateSnapshotsResponse create_snapshots(state::Transaction& transaction, const Context& context,
                                                    const wire::ec2::CreateSnapshotsRequest& request) {
  check_tag_types(request.tag_specifications, {"snapshot"});
  check_description(request.description.value_or(""));
  const bool copies_tags = request.copy_tags_from_source.has_value();
  if (copies_tags && *request.copy_tags_from_source != "volume")
    throw wire::invalid_parameter_value(fmt::format("Invalid value '{}' for CopyTagsFromSource.", *request.copy_tags_from_source));
  if (!request.instance_specification || !request.instance_specification->instance_id)
    throw wire::missing_parameter("InstanceSpecification.InstanceId");
  const auto& asked = *request.instance_specification;
  const auto& world = transaction.world();
  const auto& instance = *find_instances(world, context.account(), {*asked.instance_id}).front();
  const auto volumes = volumes_to_copy(world, instance, asked);
  refuse_outposts(request.outpost_arn, request.location);
  check_snapshot_quota(world, context, static_cast<std::int64_t>(volumes.size()));
  const auto set_id = make_id(transaction.random(), "set");
  wire::ec2::CreateSnapshotsResponse response;
  for (const auto* volume : volumes) {
    auto snapshot = begin_snapshot(transaction, *volume, request.description.value_or(""));
    snapshot.set_id = set_id;
    const auto& tags = request.tag_specifications;
    tag_on_create(transaction, snapshot.account, snapshot.id, "snapshot", copies_tags ? with_tags_of(world, *volume, tags) : tags);
    response.snapshots.push_back(describe_of_set(describe_snapshot(world, context, snapshot)));
    transaction.put(std::move(snapshot));
  }
  return response;
}

void check_region(const Context& context, const std::optional<std::string>& region, std::string_view name) {
  if (region && *region != context.services.settings.region)
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter {} is invalid. This installation is the region {}.", *region,
                                                    name, context.services.settings.region));
}

void refuse_unbuilt_snapshot_options(const wire::ec2::CopySnapshotRequest& request) {
  if (request.destination_outpost_arn) throw wire::unsupported_operation("There are no Outposts here.");
  if (request.destination_availability_zone) throw wire::unsupported_operation("There are no Local Zones here.");
  if (request.completion_duration_minutes) throw wire::unsupported_operation("Copies that are done at a set time are not supported.");
}

// PresignedUrl says to another region what is asked of it; here all is in one.
wire::ec2::CopySnapshotResponse copy_snapshot(state::Transaction& transaction, const Context& context,
                                              const wire::ec2::CopySnapshotRequest& request) {
  check_region(context, request.source_region, "sourceRegion");
  check_region(context, request.destination_region, "destinationRegion");
  check_tag_types(request.tag_specifications, {"snapshot"});
  check_description(request.description.value_or(""));
  const auto& source = find_restorable_snapshot(transaction.world(), context.account(), *request.source_snapshot_id);
  const bool encrypted = is_copied_encrypted(transaction.world(), context, source, request.encrypted);
  check_key(context, request.kms_key_id, request.encrypted.value_or(source.encrypted));
  refuse_unbuilt_snapshot_options(request);
  check_snapshot_quota(transaction.world(), context, 1);
  auto copy = begin_snapshot_copy(transaction, context.account(), source, request.description.value_or(""), encrypted);
  tag_on_create(transaction, copy.account, copy.id, "snapshot", request.tag_specifications);
  wire::ec2::CopySnapshotResponse response;
  response.snapshot_id = copy.id;
  response.tags = tags_of(transaction.world(), copy.account, copy.id);
  transaction.put(std::move(copy));
  return response;
}

service::Done delete_snapshot(state::Transaction& transaction, const Context& context, const wire::ec2::DeleteSnapshotRequest& request) {
  const auto& snapshot = find_own_snapshot(transaction.world(), context.account(), *request.snapshot_id);
  transaction.world().each<state::Image>("", [&](const state::Image& image) {
    if (image.state == state::ImageState::deregistered || image.state == state::ImageState::failed) return;
    for (const auto& device : image.block_devices)
      if (device.snapshot_id == snapshot.id)
        throw wire::ApiError(400, "InvalidSnapshot.InUse", fmt::format("The snapshot {} is currently in use by {}", snapshot.id, image.id));
  });
  if (is_locked(snapshot, transaction.now()))
    throw wire::ApiError(400, "OperationNotPermitted",
                         fmt::format("Snapshot '{}' is locked until {}.", snapshot.id, format_iso8601(snapshot.lock_expires)));
  // Control keeps it as long as volumes and copies of it are still being made.
  auto deleted = snapshot;
  deleted.state = state::SnapshotState::deleting;
  erase_tags(transaction, deleted.account, deleted.id);
  transaction.put(std::move(deleted));
  return {};
}

}  // namespace

bool may_restore(const state::World& world, const state::Snapshot& snapshot, const std::string& account) {
  if (snapshot.account == account || is_shared_with(snapshot, account)) return true;
  return snapshot.is_public && storage_defaults(world, snapshot.account).snapshot_sharing != "block-all-sharing";
}

const state::Snapshot& find_snapshot(const state::World& world, const std::string& account, const std::string& id) {
  check_snapshot_ids(world, {id});
  const auto& snapshot = *world.find_indexed<state::Snapshot>(state::Index::snapshot_by_id, id);
  if (!may_restore(world, snapshot, account)) throw id_unknown("snap", id);
  return snapshot;
}

const state::Snapshot& find_own_snapshot(const state::World& world, const std::string& account, const std::string& id) {
  const auto& snapshot = find_snapshot(world, account, id);
  if (snapshot.account != account) throw wire::ApiError(400, "AuthFailure", fmt::format("You do not own the snapshot '{}'.", id));
  return snapshot;
}

const state::Snapshot& find_restorable_snapshot(const state::World& world, const std::string& account, const std::string& id) {
  const auto& snapshot = find_snapshot(world, account, id);
  if (snapshot.state != state::SnapshotState::completed)
    throw wire::ApiError(400, "IncorrectState",
                         fmt::format("Snapshot is in invalid state - {}: '{}' is not 'completed'.", state::name_of(snapshot.state), id));
  return snapshot;
}

state::Snapshot begin_snapshot(state::Transaction& transaction, const state::Volume& volume, std::string description) {
  check_description(description);
  state::Snapshot snapshot;
  snapshot.account = volume.account;
  snapshot.id = make_id(transaction.random(), "snap");
  snapshot.volume_id = volume.id;
  snapshot.size_gib = volume.size_gib;
  snapshot.host = volume.host;
  snapshot.encrypted = volume.encrypted;
  snapshot.state = state::SnapshotState::pending;
  snapshot.progress = 0;
  snapshot.description = std::move(description);
  snapshot.started = transaction.now();
  return snapshot;
}

state::Snapshot begin_snapshot_copy(state::Transaction& transaction, const std::string& account, const state::Snapshot& original,
                                    std::string description, bool encrypted) {
  state::Snapshot copy;
  copy.account = account;
  copy.id = make_id(transaction.random(), "snap");
  copy.volume_id = volume_of_a_copy;
  copy.size_gib = original.size_gib;
  copy.host = original.host;
  copy.encrypted = encrypted;
  copy.state = state::SnapshotState::pending;
  copy.progress = 0;
  copy.description = std::move(description);
  copy.started = transaction.now();
  copy.copy_of = original.id;
  return copy;
}

bool is_copied_encrypted(const state::World& world, const Context& context, const state::Snapshot& original,
                         const std::optional<bool>& asked) {
  if (asked && !*asked && original.encrypted) throw wire::invalid_parameter_value("The copy of an encrypted snapshot is encrypted.");
  return original.encrypted || asked.value_or(false) || storage_defaults(world, context.account()).encrypt_by_default;
}

void refuse_local_zones(const std::optional<std::string>& location, std::string_view parameter) {
  if (!location || *location == "regional") return;
  if (*location != "local")
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter {} is invalid. Valid values are: regional, local.", *location, parameter));
  throw wire::unsupported_operation("There are no Local Zones here: snapshots are regional.");
}

void check_description(const std::string& description) {
  constexpr size_t limit = 255;
  if (description.size() > limit) throw wire::invalid_parameter_value(fmt::format("Description is limited to {} characters.", limit));
}

std::vector<service::Action> snapshot_actions() {
  using namespace wire::ec2;
  std::vector<service::Action> actions = {
      service::write_action<CreateSnapshotRequest>("CreateSnapshot", create_snapshot),
      service::write_action<CreateSnapshotsRequest>("CreateSnapshots", create_snapshots),
      service::write_action<CopySnapshotRequest>("CopySnapshot", copy_snapshot),
      service::write_action<DeleteSnapshotRequest>("DeleteSnapshot", delete_snapshot),
      service::read_action<DescribeSnapshotsRequest>("DescribeSnapshots", describe_snapshots),
  };
  for (const auto& list : {snapshot_attribute_actions, snapshot_lock_actions})
    for (const auto& action : list()) actions.push_back(action);
  return actions;
}

}  // namespace brume::ec2
