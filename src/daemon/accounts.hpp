// Accounts and their access keys (NET-005, NET-009): made by the operator, not by the API.
#pragma once

#include <string>

#include "service/services.hpp"
#include "state/store.hpp"

namespace brume::daemon {

// A new account with an access key and the network that its platform begins with: "vpc" the default VPC, "classic" EC2-Classic. `id`
// empty: a random one of 12 digits. Throws ApiError when the id is taken or not 12 digits, or the platform is none.
state::Account create_account(state::Transaction& transaction, const service::Settings& settings, const std::string& name,
                              std::string id = {}, const std::string& platform = "vpc");

// Throws ApiError NoSuchEntity.
const state::Account& find_account(const state::World& world, const std::string& id);

// Throws ApiError LimitExceeded: two keys are in use already (NET-005), or NoSuchEntity.
state::AccessKey create_access_key(state::Transaction& transaction, const std::string& account);

// Most instances of the account, pending or running; 0: no limit, -1: what the installation says. Throws ApiError NoSuchEntity,
// ValidationError.
void set_instance_limit(state::Transaction& transaction, const std::string& account, std::int64_t limit);

// Signs the account up for what sellers mark with this product code, so that it may launch their images, or ends that (INS-067). Throws
// ApiError NoSuchEntity, ValidationError.
void subscribe(state::Transaction& transaction, const std::string& account, const std::string& product_code);
void unsubscribe(state::Transaction& transaction, const std::string& account, const std::string& product_code);

// Everything that the account owns is gone, and it has a new first network. For simulation mode.
void empty_account(state::Transaction& transaction, const service::Settings& settings, const std::string& account);

// Makes the accounts and keys of this region those of the first one, where they are made; an account that is new here gets its first
// network and letters of its own for the zones.
void follow_accounts(state::Transaction& transaction, const service::Settings& settings, const state::World& first);

}  // namespace brume::daemon
