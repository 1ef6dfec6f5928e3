// What the actions on snapshots share, and who may make volumes of one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/action.hpp"
#include "state/store.hpp"
#include "wire/ec2/snapshots.hpp"

namespace brume::ec2 {

// May the account make volumes of it: its own, one that was shared with it, or a public one whose owner does not block that?
bool may_restore(const state::World& world, const state::Snapshot& snapshot, const std::string& account);

// A snapshot that the account may see. Throws InvalidSnapshotID.Malformed, InvalidSnapshot.NotFound.
const state::Snapshot& find_snapshot(const state::World& world, const std::string& account, const std::string& id);
// One that it owns: AuthFailure when it only may see it.
const state::Snapshot& find_own_snapshot(const state::World& world, const std::string& account, const std::string& id);
// One that it may make a volume of now: IncorrectState as well, as long as the snapshot is not completed.
const state::Snapshot& find_restorable_snapshot(const state::World& world, const std::string& account, const std::string& id);

// A snapshot that control is to take of the volume; it is not put yet.
state::Snapshot begin_snapshot(state::Transaction& transaction, const state::Volume& volume, std::string description);
// The same for a copy of `original`, which may be another account's.
// `encrypted`: the copy is, also when the original is not.
state::Snapshot begin_snapshot_copy(state::Transaction& transaction, const std::string& account, const state::Snapshot& original,
                                    std::string description, bool encrypted);
// Is the copy of this snapshot to be encrypted? Throws InvalidParameterValue for what cannot be had.
bool is_copied_encrypted(const state::World& world, const service::Context& context, const state::Snapshot& original,
                         const std::optional<bool>& asked);

// May it not be deleted until its day; and can nobody take that back any more?
bool is_locked(const state::Snapshot& snapshot, Time now);
bool is_locked_for_good(const state::Snapshot& snapshot, Time now);

// Snapshots are regional. `location` is what a request says of it. Throws InvalidParameterValue, UnsupportedOperation.
void refuse_local_zones(const std::optional<std::string>& location, std::string_view parameter);

// Description may have 255 characters. Throws InvalidParameterValue.
void check_description(const std::string& description);

// The account's one key, which encrypted volumes and snapshots are sealed under, as a client names it: an ARN that is the same for as long
// as the account and the region are.
std::string key_arn(const service::Context& context, const std::string& account);
bool is_account_key(const service::Context& context, const std::string& key);
// Throws unless the key that is asked for is that one, by its id, its ARN, its alias or the alias's ARN: InvalidParameterDependency,
// InvalidParameterValue.
void check_key(const service::Context& context, const std::optional<std::string>& key, bool encrypted);

// What the account has chosen for its storage.
state::StorageDefaults storage_defaults(const state::World& world, const std::string& account);

std::vector<service::Action> snapshot_attribute_actions();
std::vector<service::Action> snapshot_lock_actions();

}  // namespace brume::ec2
