// Prefix lists, as routes and rules of groups name and count them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/action.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

// EC2's own lists, which every account sees and none can change: of the account "AWS", by id. None has entries, because their services are
// not on this host; so a route or rule that names one matches no packet.
std::vector<state::PrefixList> aws_prefix_lists(const service::Settings& settings);
// The list of a service's addresses ("com.amazonaws.us-east-1.s3").
std::string prefix_list_of_service(std::string_view service);
// FNV-1a: ids of EC2's own things are the same on every installation and in every version.
std::string digits_of(std::string_view text);

// The id, if it is one of the account's own lists or of EC2's. Throws MissingParameter, InvalidPrefixListId.Malformed and .NotFound.
std::string find_prefix_list_id(const state::World& world, const service::Context& context, std::string_view parameter,
                                const std::optional<std::string>& id);

// How many routes or rules a reference to the list counts as: the number of entries that the list may have. 1 for anything that names no
// list.
std::int64_t weight_of(const state::World& world, const service::Context& context, const std::string& prefix_list_id);

}  // namespace brume::ec2
