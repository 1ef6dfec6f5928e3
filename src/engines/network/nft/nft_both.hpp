// The parts of a VPC's rules that are the same for IPv4 and IPv6: what groups and network ACLs allow. Names of sets and chains are the
// family's own ("members_…" and "members6_…"). For `Family` Ipv4 and Ipv6; nft_rules.cpp and nft_rules6.cpp put them together.
#pragma once

#include <string>
#include <vector>

#include "engines/network/nft/ruleset.hpp"
#include "engines/network/vpc/model.hpp"

namespace brume::network {

// A chain for each group and direction, and a set of the group's members.
template <class Family>
void add_groups(Table& table, const Model& model);
// The owners of addresses ("sources"), and the verdict maps from taps to their groups' chains ("ingress", "egress").
template <class Family>
void add_interfaces(Table& table, const Model& model);
// A chain for each ACL and direction, and the verdict maps from taps to them ("leaving_subnet", "entering_subnet").
template <class Family>
void add_acls(Table& table, const Model& model);

// Rules of `leaving` and the first ones of `between`; the traffic in `services` passes whatever groups say.
template <class Family>
std::vector<std::string> leaving_rules(const Model& model, const std::vector<std::string>& services);
template <class Family>
std::vector<std::string> edge_rules();

// The places where packets are refused on their way out of an interface or into it: reported to the flow meter if it listens, which knows
// IPv4.
inline constexpr std::string_view refused_leaving_chain = "refused_leaving";
inline constexpr std::string_view refused_coming_chain = "refused_coming";
template <class Family>
std::string refusal(const Model& model, bool leaving);

}  // namespace brume::network
