// Security groups as other actions need them: found by id or by name.
#pragma once

#include <optional>
#include <string>

#include "service/action.hpp"

namespace brume::ec2 {

// nullptr: the account has none.
const state::Vpc* default_vpc(const state::World& world, const std::string& account);

const state::SecurityGroup* find_group_by_name(const state::World& world, const std::string& account, const std::string& vpc_id,
                                               const std::string& name);

// Where the account's groups can be named by name: EC2-Classic, or the default VPC. Throws VPCIdNotSpecified (it has neither).
std::string network_of_names(const state::World& world, const std::string& account);

// By id, or by name (network_of_names); exactly one of them must be given. Throws InvalidGroupId.Malformed, InvalidGroup.NotFound,
// MissingParameter, InvalidParameterCombination, VPCIdNotSpecified (a name, and no default VPC).
const state::SecurityGroup& find_group(const state::World& world, const std::string& account, const std::optional<std::string>& id,
                                       const std::optional<std::string>& name);

wire::ApiError group_not_found(const std::string& id_or_name);

// Adding, removing, changing and listing rules; parts of security_group_actions().
std::vector<service::Action> security_group_permission_actions();
std::vector<service::Action> security_group_rule_change_actions();
std::vector<service::Action> security_group_listing_actions();
std::vector<service::Action> security_group_reference_actions();

}  // namespace brume::ec2
