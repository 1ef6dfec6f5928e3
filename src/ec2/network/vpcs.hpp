// VPCs and their ranges, as the actions on what is in them look them up.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ipv4.hpp"
#include "base/ipv6.hpp"
#include "service/action.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

// The account's own. Throw MissingParameter, Invalid….Malformed, Invalid….NotFound.
const state::Vpc& find_vpc(const state::World& world, const std::string& account, const std::optional<std::string>& id);
const state::Subnet& find_subnet(const state::World& world, const std::string& account, const std::optional<std::string>& id);

// A range in EC2's form: host bits are cleared. Throws MissingParameter, InvalidParameterValue.
Ipv4Block read_range(std::string_view parameter, const std::optional<std::string>& cidr);
Ipv6Block read_range6(std::string_view parameter, const std::optional<std::string>& cidr);
bool overlap(const Ipv4Block& a, const Ipv4Block& b);
// Whether the first range lies inside the other.
bool lies_in(const Ipv4Block& range, const Ipv4Block& other);
// All ranges of the VPC, the first one first.
std::vector<Ipv4Block> ranges_of(const state::Vpc& vpc);

// What CreateVpc accepts: "default" or "dedicated". Throws InvalidParameterValue.
std::string read_vpc_tenancy(const std::optional<std::string>& asked);

// DependencyViolation: "The vpc 'vpc-…' has dependencies and cannot be deleted."
wire::ApiError has_dependencies(std::string_view noun, const std::string& id);

}  // namespace brume::ec2
