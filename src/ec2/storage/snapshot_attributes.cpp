// Who may make volumes of a snapshot (STO-052), and whether an account allows public snapshots at all.
#include <fmt/format.h>

#include <algorithm>

#include "ec2/common/resource_ids.hpp"
#include "ec2/storage/snapshots.hpp"

namespace brume::ec2 {
namespace {

using service::Context;

constexpr size_t change_limit = 500;  // of one request

// The named attribute; only one can be changed, and 2011's clients need not name it.
void check_is_permission(const std::optional<std::string>& attribute) {
  if (attribute && !attribute->empty() && *attribute != "createVolumePermission")
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter attribute is invalid.", *attribute));
}

wire::ec2::DescribeSnapshotAttributeResponse describe_snapshot_attribute(const state::World& world, const Context& context,
                                                                         const wire::ec2::DescribeSnapshotAttributeRequest& request) {
  const auto& snapshot = find_own_snapshot(world, context.account(), *request.snapshot_id);
  wire::ec2::DescribeSnapshotAttributeResponse response;
  response.snapshot_id = snapshot.id;
  // The requested attribute and no other, even if it is empty.
  if (request.attribute == "productCodes") {
    response.product_codes.emplace();  // no snapshot here has any
    return response;
  }
  check_is_permission(request.attribute);
  auto& permissions = response.create_volume_permissions.emplace();
  if (snapshot.is_public) permissions.emplace_back().group = "all";
  for (const auto& account : snapshot.create_volume_accounts) permissions.emplace_back().user_id = account;
  return response;
}

// What one request adds or removes, in any of the forms of fifteen years.
struct PermissionChange {
  std::vector<std::string> added, removed;  // accounts, and "all"
};

void take(const std::vector<wire::ec2::CreateVolumePermission>& permissions, std::vector<std::string>& out) {
  for (const auto& permission : permissions) {
    if (permission.group && *permission.group != "all")
      throw wire::invalid_parameter_value(
          fmt::format("Value ({}) for parameter group is invalid. There is one group: all.", *permission.group));
    if (permission.group) out.emplace_back("all");
    if (permission.user_id) out.push_back(*permission.user_id);
  }
}

void take_old_form(const wire::ec2::ModifySnapshotAttributeRequest& request, PermissionChange& change) {
  auto named = request.user_ids;
  for (const auto& group : request.group_names) {
    if (group != "all")
      throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter userGroup is invalid. There is one group: all.", group));
    named.push_back(group);
  }
  if (named.empty()) return;
  const auto operation = request.operation_type.value_or("");
  if (operation != "add" && operation != "remove")
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter operationType is invalid. Use add or remove.", operation));
  auto& out = operation == "add" ? change.added : change.removed;
  out.insert(out.end(), named.begin(), named.end());
}

PermissionChange read_change(const wire::ec2::ModifySnapshotAttributeRequest& request) {
  check_is_permission(request.attribute);
  PermissionChange change{request.add, request.remove};  // the guide's own form: Add.1=all
  if (request.create_volume_permission) {
    take(request.create_volume_permission->add, change.added);
    take(request.create_volume_permission->remove, change.removed);
  }
  take_old_form(request, change);
  if (change.added.empty() && change.removed.empty()) throw wire::missing_parameter("CreateVolumePermission");
  if (!change.added.empty() && !change.removed.empty())
    throw wire::invalid_parameter_combination("Permissions are either added or removed by one request, not both.");
  if (change.added.size() + change.removed.size() > change_limit)
    throw wire::invalid_parameter_value(fmt::format("One request changes at most {} permissions.", change_limit));
  for (const auto* list : {&change.added, &change.removed})
    for (const auto& user : *list)
      if (user != "all") check_account_id(user);
  return change;
}

void check_snapshot_may_be_shared(const state::World& world, const state::Snapshot& snapshot, const std::string& with) {
  // It is sealed with a key that only its owner's volumes are opened with.
  if (snapshot.encrypted) throw wire::ApiError(400, "OperationNotPermitted", "Encrypted snapshots with EBS default key cannot be shared");
  if (with == "all" && !snapshot.is_public && storage_defaults(world, snapshot.account).snapshot_sharing != "unblocked")
    throw wire::ApiError(400, "OperationNotPermitted",
                         "Snapshots cannot be shared publicly: block public access for snapshots is enabled in this account.");
}

// Adding twice and removing what does not exist are accepted.
service::Done modify_snapshot_attribute(state::Transaction& transaction, const Context& context,
                                        const wire::ec2::ModifySnapshotAttributeRequest& request) {
  auto snapshot = find_own_snapshot(transaction.world(), context.account(), *request.snapshot_id);
  const auto change = read_change(request);
  auto& accounts = snapshot.create_volume_accounts;
  for (const auto& user : change.added) {
    check_snapshot_may_be_shared(transaction.world(), snapshot, user);
    if (user == "all")
      snapshot.is_public = true;
    else if (std::find(accounts.begin(), accounts.end(), user) == accounts.end())
      accounts.push_back(user);
  }
  for (const auto& user : change.removed) {
    if (user == "all")
      snapshot.is_public = false;
    else
      std::erase(accounts, user);
  }
  transaction.put(std::move(snapshot));
  return {};
}

service::Done reset_snapshot_attribute(state::Transaction& transaction, const Context& context,
                                       const wire::ec2::ResetSnapshotAttributeRequest& request) {
  auto snapshot = find_own_snapshot(transaction.world(), context.account(), *request.snapshot_id);
  check_is_permission(request.attribute);
  snapshot.is_public = false;
  snapshot.create_volume_accounts.clear();
  transaction.put(std::move(snapshot));
  return {};
}

std::string set_sharing(state::Transaction& transaction, const std::string& account, std::string state) {
  auto defaults = storage_defaults(transaction.world(), account);
  defaults.snapshot_sharing = state;
  transaction.put(std::move(defaults));
  return state;
}

wire::ec2::EnableSnapshotBlockPublicAccessResponse enable_block(state::Transaction& transaction, const Context& context,
                                                                const wire::ec2::EnableSnapshotBlockPublicAccessRequest& request) {
  if (*request.state != "block-all-sharing" && *request.state != "block-new-sharing")
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter state is invalid. Use block-all-sharing or block-new-sharing.", *request.state));
  wire::ec2::EnableSnapshotBlockPublicAccessResponse response;
  response.state = set_sharing(transaction, context.account(), *request.state);
  return response;
}

wire::ec2::DisableSnapshotBlockPublicAccessResponse disable_block(state::Transaction& transaction, const Context& context,
                                                                  const wire::ec2::DisableSnapshotBlockPublicAccessRequest&) {
  wire::ec2::DisableSnapshotBlockPublicAccessResponse response;
  response.state = set_sharing(transaction, context.account(), "unblocked");
  return response;
}

wire::ec2::GetSnapshotBlockPublicAccessStateResponse get_block(const state::World& world, const Context& context,
                                                               const wire::ec2::GetSnapshotBlockPublicAccessStateRequest&) {
  wire::ec2::GetSnapshotBlockPublicAccessStateResponse response;
  response.state = storage_defaults(world, context.account()).snapshot_sharing;
  response.managed_by = "account";
  return response;
}

}  // namespace

state::StorageDefaults storage_defaults(const state::World& world, const std::string& account) {
  state::StorageDefaults defaults;
  defaults.account = account;
  const auto* chosen = world.find<state::StorageDefaults>(defaults.key());
  return chosen == nullptr ? defaults : *chosen;
}

std::vector<service::Action> snapshot_attribute_actions() {
  using namespace wire::ec2;
  return {
      service::read_action<DescribeSnapshotAttributeRequest>("DescribeSnapshotAttribute", describe_snapshot_attribute),
      service::write_action<ModifySnapshotAttributeRequest>("ModifySnapshotAttribute", modify_snapshot_attribute),
      service::write_action<ResetSnapshotAttributeRequest>("ResetSnapshotAttribute", reset_snapshot_attribute),
      service::write_action<EnableSnapshotBlockPublicAccessRequest>("EnableSnapshotBlockPublicAccess", enable_block),
      service::write_action<DisableSnapshotBlockPublicAccessRequest>("DisableSnapshotBlockPublicAccess", disable_block),
      service::read_action<GetSnapshotBlockPublicAccessStateRequest>("GetSnapshotBlockPublicAccessState", get_block),
  };
}

}  // namespace brume::ec2
