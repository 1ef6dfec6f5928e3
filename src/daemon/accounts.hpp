// Accounts and their access keys (NET-005, NET-009): made by the operator, not by the API.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/services.hpp"
#include "state/store.hpp"

namespace brume::daemon {

// A new account with an access key and the network that its platform begins with: "vpc" the default VPC, "classic" EC2-Classic. `id`
// empty: a random one of 12 digits. Throws ApiError when the id is taken or not 12 digits, or the platform is none.
state::Account create_account(state::Transaction& transaction, const service::Settings& settings, const std::string& name,
                              std::string id = {}, const std::string& platform = "vpc");

// Throws ApiError NoSuchEntity.
const state::Account& find_account(const state::World& world, const std::string& id);

// What an account has in one region.
struct AccountUse {
  std::int64_t instances = 0;  // all but terminated
  std::int64_t volumes = 0;
  std::int64_t volume_gib = 0;
  std::int64_t snapshots = 0;
  std::int64_t images = 0;
  std::int64_t addresses = 0;
  std::int64_t vpcs = 0;
  std::int64_t other = 0;  // what else works outside of the records: machines that are going, NAT gateways, VPN connections, peerings

  void add(const AccountUse& more);
  // May the account be deleted? Networks with nothing in them are no hindrance.
  bool is_idle() const { return instances + volumes + snapshots + images + addresses + other == 0; }
};
AccountUse use_of(const state::World& world, const std::string& account);

// Throw ApiError NoSuchEntity; ValidationError for a name that is none.
void rename_account(state::Transaction& transaction, const std::string& account, const std::string& name);
// Nobody who has its keys may ask for anything while it is disabled; what runs goes on.
void enable_account(state::Transaction& transaction, const std::string& account, bool enabled);
// It is gone, with its keys, networks, groups and tags. Throws ApiError DeleteConflict while it has anything else (use_of), or is the
// first account, whose the starter images are.
void delete_account(state::Transaction& transaction, const std::string& account);

// Throws ApiError LimitExceeded: two keys are in use already (NET-005), or NoSuchEntity.
state::AccessKey create_access_key(state::Transaction& transaction, const std::string& account);

// Most instances of the account, pending or running; 0: no limit, -1: what the installation says. Throws ApiError NoSuchEntity,
// ValidationError.
void set_instance_limit(state::Transaction& transaction, const std::string& account, std::int64_t limit);

// "vpcs=5", "addresses=none": which quota, and the number or 0 for none. nullopt: there is no such quota, or it is no number.
struct QuotaChoice {
  std::string name;
  std::int64_t limit = 0;
};
std::optional<QuotaChoice> read_quota(std::string_view text);

// The quotas of all accounts of which nothing else is said: these, and no others from before.
void set_common_quotas(state::Transaction& transaction, const std::vector<std::string>& quotas);
// The account's quota of this name: a number, 0 for none, -1 for the default again. Throws ApiError NoSuchEntity, ValidationError.
void set_quota(state::Transaction& transaction, const std::string& account, const std::string& quota, std::int64_t limit);

// Signs the account up for what sellers mark with this product code, so that it may launch their images, or ends that (INS-067). Throws
// ApiError NoSuchEntity, ValidationError.
void subscribe(state::Transaction& transaction, const std::string& account, const std::string& product_code);
void unsubscribe(state::Transaction& transaction, const std::string& account, const std::string& product_code);

// Everything that the account owns is gone, and it has a new first network. For simulation mode.
void empty_account(state::Transaction& transaction, const service::Settings& settings, const std::string& account);

// Makes the accounts and keys of this region those of the first one, where they are made; an account that is new here gets its first
// network and letters of its own for the zones, one that is gone there goes here too.
void follow_accounts(state::Transaction& transaction, const service::Settings& settings, const state::World& first);

}  // namespace brume::daemon
