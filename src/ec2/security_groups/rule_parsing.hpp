// Rules of security groups: from the form in requests to the form in records, and back to the form in answers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/action.hpp"
#include "wire/ec2/security_groups.hpp"

namespace brume::ec2 {

// The rules in the permissions, one for each protocol, port range and peer, all in the one form that records use: names of protocols,
// ranges without host bits, groups by id. They have no id yet. Group names are looked up in the group's VPC. Throws InvalidParameterValue
// (2011: InvalidPermission.Malformed), MissingParameter, InvalidGroup.NotFound, InvalidPrefixListID.NotFound.
std::vector<state::SecurityRule> read_rules(const state::World& world, const service::Context& context, const state::SecurityGroup& group,
                                            const std::vector<wire::ec2::IpPermission>& permissions);

// Whether the rule names a group of a peer VPC that no longer exists, or over a peering that is not active.
bool is_stale(const state::World& world, const state::SecurityRule& rule);
// read_rules accepts stale rules that the group has, so that they can be revoked. A new one cannot be stale: throws InvalidGroup.NotFound.
void check_new_rule(const state::World& world, const state::SecurityRule& rule);

// As Describe shows them: one permission for each protocol and port range, with all its peers.
std::vector<wire::ec2::IpPermission> show_permissions(const state::World& world, const service::Context& context,
                                                      const std::vector<state::SecurityRule>& rules);

// What the answers for a rule and a revoked rule have in common: `Shown` has the members of wire::ec2::SecurityGroupRule.
template <class Shown>
void show_rule_fields(Shown& out, const state::SecurityGroup& group, const state::SecurityRule& rule, bool is_egress) {
  const auto some = [](const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); };
  out.security_group_rule_id = rule.id;
  out.group_id = group.id;
  out.is_egress = is_egress;
  out.ip_protocol = rule.protocol;
  out.from_port = rule.from_port;
  out.to_port = rule.to_port;
  out.cidr_ipv4 = some(rule.cidr);
  out.cidr_ipv6 = some(rule.cidr6);
  out.prefix_list_id = some(rule.prefix_list_id);
  out.description = some(rule.description);
}

// `with_no_tags`: an untagged rule has an empty list of tags, as Describe shows it; Authorize omits the list.
wire::ec2::SecurityGroupRule show_rule(const state::World& world, const service::Context& context, const state::SecurityGroup& group,
                                       const state::SecurityRule& rule, bool is_egress, bool with_no_tags);

// "peer: 0.0.0.0/0, TCP, from port: 22, to port: 22, ALLOW", as EC2 writes it in errors.
std::string describe_rule(const state::SecurityRule& rule);

// The description that a request gives a rule; empty if none. Throws InvalidParameterValue.
std::string read_rule_description(const std::optional<std::string>& description);

// Whether ports (or ICMP's type and code) have a meaning for this protocol.
bool has_ports(const state::SecurityRule& rule);

// For names, descriptions and rules alike: less than 256 of the characters that EC2 allows.
bool is_group_text(std::string_view text);
inline constexpr std::string_view group_text_characters = "a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*";

}  // namespace brume::ec2
