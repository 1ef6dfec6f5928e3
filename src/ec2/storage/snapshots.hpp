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

// Whether the account may make volumes of it: its own, one that was shared with it, or a public one whose owner does not block that.
bool may_restore(const state::World& world, const state::Snapshot& snapshot, const std::string& account);

// A snapshot that the account may see. Throws InvalidSnapshotID.Malformed, InvalidSnapshot.NotFound.
const state::Snapshot& find_snapshot(const state::World& world, const std::string& account, const std::string& id);
// One that it owns: AuthFailure if it can only see it.
const state::Snapshot& find_own_snapshot(const state::World& world, const std::string& account, const std::string& id);
// One that it may make a volume of now: also throws IncorrectState until the snapshot is completed.
const state::Snapshot& find_restorable_snapshot(const state::World& world, const std::string& account, const std::string& id);

// A snapshot for control to take of the volume; it is not put yet.
state::Snapshot begin_snapshot(state::Transaction& transaction, const state::Volume& volume, std::string description);
// The same for a copy of `original`, which may be another account's. `encrypted`: whether the copy is, even if the original is not.
state::Snapshot begin_snapshot_copy(state::Transaction& transaction, const std::string& account, const state::Snapshot& original,
                                    std::string description, bool encrypted);
// Whether the copy of this snapshot is to be encrypted. Throws InvalidParameterValue for what is impossible.
bool is_copied_encrypted(const state::World& world, const service::Context& context, const state::Snapshot& original,
                         const std::optional<bool>& asked);

// Whether it is protected from deletion until its day, and whether that can no longer be undone.
bool is_locked(const state::Snapshot& snapshot, Time now);
bool is_locked_for_good(const state::Snapshot& snapshot, Time now);

// Snapshots are regional. `location` is what a request says about it. Throws InvalidParameterValue, UnsupportedOperation.
void refuse_local_zones(const std::optional<std::string>& location, std::string_view parameter);

// A description may have 255 characters. Throws InvalidParameterValue.
void check_description(const std::string& description);

// The account's one key, which encrypted volumes and snapshots are sealed with, as clients name it: an ARN that stays the same as long as
// account and region exist.
std::string key_arn(const service::Context& context, const std::string& account);
bool is_account_key(const service::Context& context, const std::string& key);
// Throws unless the requested key is that one, by its id, its ARN, its alias or the alias's ARN: InvalidParameterDependency,
// InvalidParameterValue.
void check_key(const service::Context& context, const std::optional<std::string>& key, bool encrypted);

// The account's settings for its storage.
state::StorageDefaults storage_defaults(const state::World& world, const std::string& account);

std::vector<service::Action> snapshot_attribute_actions();
std::vector<service::Action> snapshot_lock_actions();

}  // namespace brume::ec2
