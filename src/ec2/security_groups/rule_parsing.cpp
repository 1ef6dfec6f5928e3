#include "ec2/security_groups/rule_parsing.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/ipv4.hpp"
#include "base/text.hpp"
#include "domain/arns.hpp"
#include "domain/classic.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/resource_ids.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/network/prefix_lists.hpp"
#include "ec2/network/vpc_peerings.hpp"
#include "ec2/security_groups/security_groups.hpp"

namespace brume::ec2 {

namespace {

using service::Context;
using state::SecurityRule;
using state::World;

// The guide's API has a code of its own for malformed rules.
wire::ApiError malformed(const Context& context, std::string message) {
  if (context.is_2011()) return {400, "InvalidPermission.Malformed", std::move(message)};
  return wire::invalid_parameter_value(std::move(message));
}

bool is_icmp(std::string_view protocol) { return protocol == "icmp" || protocol == "icmpv6"; }

// EC2-Classic reports a missing parameter where a VPC reports a wrong value.
std::string read_protocol(const Context& context, const state::SecurityGroup& group, const std::optional<std::string>& asked) {
  if (!given(asked)) {
    if (domain::is_classic(group)) throw wire::missing_parameter("ipProtocol");
    throw malformed(context, fmt::format("Invalid value '{}' for protocol. VPC security group rules must specify protocols explicitly.",
                                         asked ? *asked : "null"));
  }
  auto name = to_lower(*asked);
  if (name == "tcp" || name == "udp" || is_icmp(name)) return name;
  const auto number = parse_integer(name);
  if (!number || *number < -1 || *number > 255)
    throw malformed(context, fmt::format("Invalid value '{}' for IP protocol. Unknown protocol.", *asked));
  switch (*number) {
    case 1: return "icmp";
    case 6: return "tcp";
    case 17: return "udp";
    case 58: return "icmpv6";
    default: return std::to_string(*number);
  }
}

void read_icmp(const Context& context, const wire::ec2::IpPermission& permission, SecurityRule& rule) {
  if (rule.protocol == "icmpv6" && !permission.from_port && !permission.to_port) return;
  if (!permission.from_port || !permission.to_port)
    throw malformed(context, "Invalid value 'Must specify both from and to ports with ICMP.' for portRange.");
  rule.from_port = *permission.from_port;
  rule.to_port = *permission.to_port;
  if (rule.from_port < -1 || rule.from_port > 255) throw malformed(context, fmt::format("ICMP type ({}) out of range", rule.from_port));
  if (rule.to_port < -1 || rule.to_port > 255) throw malformed(context, fmt::format("ICMP code ({}) out of range", rule.to_port));
  if (rule.from_port == -1 && rule.to_port != -1)
    throw malformed(context, fmt::format("ICMP code ({}) is not allowed with all ICMP types", rule.to_port));
}

void read_ports(const Context& context, const wire::ec2::IpPermission& permission, SecurityRule& rule) {
  if (!permission.from_port || !permission.to_port)
    throw malformed(context, "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.");
  rule.from_port = *permission.from_port;
  rule.to_port = *permission.to_port;
  for (const auto port : {rule.from_port, rule.to_port})
    if (port < 0 || port > 65535) throw malformed(context, fmt::format("TCP/UDP port ({}) out of range", port));
  if (rule.from_port > rule.to_port)
    throw malformed(context, fmt::format("Invalid TCP/UDP port range ({}:{})", rule.from_port, rule.to_port));
}

std::string read_cidr(const Context& context, const std::optional<std::string>& cidr) {
  if (!cidr) throw wire::missing_parameter("cidrIp");
  const auto block = cidr->find('/') == std::string::npos ? std::nullopt : parse_ipv4_block(*cidr);
  if (!block) throw malformed(context, fmt::format("CIDR block {} is malformed", *cidr));
  return format_ipv4_block(*block);
}

std::string read_cidr6(const Context& context, const std::optional<std::string>& cidr) {
  if (!cidr) throw wire::missing_parameter("cidrIpv6");
  const auto slash = cidr->find('/');
  const auto prefix = slash == std::string::npos ? std::nullopt : parse_integer(std::string_view(*cidr).substr(slash + 1));
  in6_addr address{};
  if (!prefix || *prefix < 0 || *prefix > 128 || inet_pton(AF_INET6, cidr->substr(0, slash).c_str(), &address) != 1)
    throw malformed(context, fmt::format("CIDR block {} is malformed", *cidr));
  for (int bit = static_cast<int>(*prefix); bit < 128; ++bit) {
    auto& byte = address.s6_addr[bit / 8];
    byte = static_cast<unsigned char>(byte & ~(0x80U >> (bit % 8)));
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(AF_INET6, &address, text.data(), text.size());
  return fmt::format("{}/{}", text.data(), *prefix);
}

// The same answer for a group elsewhere and for another account's, whether it exists or not.
wire::ApiError elsewhere() { return {400, "InvalidGroup.NotFound", "You have specified two resources that belong to different networks."}; }

// An existing stale rule, so that it can be named for its removal.
bool take_as_known(const World& world, const state::SecurityGroup& group, const std::string& owner, const wire::ec2::UserIdGroupPair& pair,
                   SecurityRule& rule) {
  for (const auto* rules : {&group.ingress, &group.egress})
    for (const auto& known : *rules) {
      if (!is_stale(world, known) || known.group_id != *pair.group_id || known.group_account != owner) continue;
      auto same = rule;
      same.group_account = known.group_account;
      same.group_id = known.group_id;
      if (!same.same_permission(known)) continue;
      same.peering_id = known.peering_id;
      same.group_vpc_id = known.group_vpc_id;
      rule = std::move(same);
      return true;
    }
  return false;
}

void read_group(const World& world, const Context& context, const state::SecurityGroup& group, const wire::ec2::UserIdGroupPair& pair,
                SecurityRule& rule) {
  const bool by_id = pair.group_id && !pair.group_id->empty();
  const bool by_name = pair.group_name && !pair.group_name->empty();
  if (!by_id && !by_name) throw wire::missing_parameter("groupId");
  if (by_id) check_id("sg", "GroupId", *pair.group_id);
  const auto owner = given(pair.user_id) ? *pair.user_id : context.account();
  if (by_id && take_as_known(world, group, owner, pair, rule)) return;
  // In EC2-Classic all accounts' groups can be named (NET-052); in a VPC another account's group is a peer's, and is named by its id.
  const bool foreign = owner != context.account() && !domain::is_classic(group);
  if (foreign && !by_id) throw elsewhere();
  const auto* peer =
      by_id ? world.find<state::SecurityGroup>(owner, *pair.group_id) : find_group_by_name(world, owner, group.vpc_id, *pair.group_name);
  if (peer == nullptr && foreign) throw elsewhere();
  if (peer == nullptr) throw group_not_found(by_id ? *pair.group_id : *pair.group_name);
  if (given(pair.vpc_id) && *pair.vpc_id != peer->vpc_id) throw elsewhere();
  rule.group_account = peer->account;
  rule.group_id = peer->id;
  if (peer->vpc_id == group.vpc_id) {
    if (given(pair.vpc_peering_connection_id)) throw id_unknown("pcx", *pair.vpc_peering_connection_id);
    return;
  }
  const auto* peering = active_peering(world, group.vpc_id, peer->vpc_id);
  if (given(pair.vpc_peering_connection_id) && (peering == nullptr || peering->id != *pair.vpc_peering_connection_id))
    throw id_unknown("pcx", *pair.vpc_peering_connection_id);
  if (peering == nullptr) throw elsewhere();
  rule.peering_id = peering->id;
  rule.group_vpc_id = peer->vpc_id;
}

// What rules of EC2-Classic cannot say (NET-051): it knows three protocols, IPv4 ranges and groups.
void check_classic(const wire::ec2::IpPermission& permission, const SecurityRule& read) {
  if (read.protocol != "tcp" && read.protocol != "udp" && read.protocol != "icmp")
    throw wire::ApiError(400, "InvalidPermission.Malformed",
                         fmt::format("Unsupported IP protocol \"{}\" - supported: [tcp, udp, icmp]", read.protocol));
  if (!permission.ipv6_ranges.empty() || !permission.prefix_list_ids.empty())
    throw wire::ApiError(400, "InvalidPermission.Malformed", "Rules of EC2-Classic name IPv4 ranges and groups, nothing else.");
}

void read_permission(const World& world, const Context& context, const state::SecurityGroup& group,
                     const wire::ec2::IpPermission& permission, std::vector<SecurityRule>& out) {
  SecurityRule any;
  any.protocol = read_protocol(context, group, permission.ip_protocol);
  if (any.protocol == "tcp" || any.protocol == "udp")
    read_ports(context, permission, any);
  else if (is_icmp(any.protocol))
    read_icmp(context, permission, any);
  if (domain::is_classic(group)) check_classic(permission, any);
  const auto add = [&](const std::optional<std::string>& description) -> SecurityRule& {
    auto& rule = out.emplace_back(any);
    rule.description = read_rule_description(description);
    return rule;
  };

  if (permission.ip_ranges.empty() && permission.ipv6_ranges.empty() && permission.user_id_group_pairs.empty() &&
      permission.prefix_list_ids.empty())
    throw wire::missing_parameter("ipRanges, ipv6Ranges, prefixListIds or groups");
  for (const auto& range : permission.ip_ranges) add(range.description).cidr = read_cidr(context, range.cidr_ip);
  for (const auto& range : permission.ipv6_ranges) add(range.description).cidr6 = read_cidr6(context, range.cidr_ipv6);
  for (const auto& list : permission.prefix_list_ids)
    add(list.description).prefix_list_id = find_prefix_list_id(world, context, "prefixListId", list.prefix_list_id);
  for (const auto& pair : permission.user_id_group_pairs) read_group(world, context, group, pair, add(pair.description));
}

std::optional<std::string> some(const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); }

}  // namespace

bool is_stale(const World& world, const SecurityRule& rule) {
  if (rule.peering_id.empty()) return false;
  const auto* peering = world.find_indexed<state::VpcPeering>(state::Index::peering_by_id, rule.peering_id);
  return peering == nullptr || !peering->is_active() || world.find<state::SecurityGroup>(rule.group_account, rule.group_id) == nullptr;
}

void check_new_rule(const World& world, const SecurityRule& rule) {
  if (is_stale(world, rule)) throw elsewhere();
}

bool has_ports(const SecurityRule& rule) { return rule.protocol == "tcp" || rule.protocol == "udp" || is_icmp(rule.protocol); }

bool is_group_text(std::string_view text) {
  constexpr std::string_view marks = ". _-:/()#,@[]+=&;{}!$*";
  return text.size() < 256 && std::all_of(text.begin(), text.end(), [&](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || marks.find(c) != std::string_view::npos;
         });
}

std::string read_rule_description(const std::optional<std::string>& description) {
  if (!description) return {};
  if (!is_group_text(*description))
    throw wire::invalid_parameter_value(
        fmt::format("Invalid rule description. Valid descriptions are strings less than 256 characters from the following set: {}",
                    group_text_characters));
  return *description;
}

std::vector<SecurityRule> read_rules(const World& world, const Context& context, const state::SecurityGroup& group,
                                     const std::vector<wire::ec2::IpPermission>& permissions) {
  std::vector<SecurityRule> rules;
  for (const auto& permission : permissions) read_permission(world, context, group, permission, rules);
  for (size_t i = 0; i < rules.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (rules[i].same_permission(rules[j])) throw wire::invalid_parameter_value("The same permission must not appear multiple times");
  return rules;
}

std::vector<wire::ec2::IpPermission> show_permissions(const World& world, const Context& context, const std::vector<SecurityRule>& rules) {
  std::vector<wire::ec2::IpPermission> out;
  std::vector<const SecurityRule*> firsts;  // the rule that each permission was made for
  for (const auto& rule : rules) {
    const auto same = std::find_if(firsts.begin(), firsts.end(), [&](const SecurityRule* first) {
      return first->protocol == rule.protocol && first->from_port == rule.from_port && first->to_port == rule.to_port;
    });
    const auto at = static_cast<size_t>(same - firsts.begin());
    if (same == firsts.end()) {
      firsts.push_back(&rule);
      auto& permission = out.emplace_back();
      permission.ip_protocol = rule.protocol;
      if (has_ports(rule)) {
        permission.from_port = rule.from_port;
        permission.to_port = rule.to_port;
      }
    }
    auto& permission = out[at];
    if (!rule.cidr.empty())
      permission.ip_ranges.push_back({some(rule.description), rule.cidr});
    else if (!rule.cidr6.empty())
      permission.ipv6_ranges.push_back({some(rule.description), rule.cidr6});
    else if (!rule.prefix_list_id.empty())
      permission.prefix_list_ids.push_back({some(rule.description), rule.prefix_list_id});
    else {
      auto& pair = permission.user_id_group_pairs.emplace_back();
      pair.description = some(rule.description);
      pair.user_id = rule.group_account;
      pair.group_id = rule.group_id;
      if (!rule.peering_id.empty()) {
        pair.vpc_id = rule.group_vpc_id;
        pair.vpc_peering_connection_id = rule.peering_id;
        pair.peering_status = peering_status(world, rule.peering_id, context.now);
      }
      // Today's API names groups of a VPC by id only.
      if (const auto* peer = world.find<state::SecurityGroup>(rule.group_account, rule.group_id);
          peer != nullptr && (context.is_2011() || domain::is_classic(*peer)))
        pair.group_name = peer->name;
    }
  }
  return out;
}

wire::ec2::SecurityGroupRule show_rule(const World& world, const Context& context, const state::SecurityGroup& group,
                                       const SecurityRule& rule, bool is_egress, bool with_no_tags) {
  wire::ec2::SecurityGroupRule out;
  show_rule_fields(out, group, rule, is_egress);
  out.group_owner_id = group.account;
  if (!rule.group_id.empty()) {
    auto& peer = out.referenced_group_info.emplace();
    peer.group_id = rule.group_id;
    peer.user_id = rule.group_account;
    if (!rule.peering_id.empty()) {
      peer.vpc_id = rule.group_vpc_id;
      peer.vpc_peering_connection_id = rule.peering_id;
      peer.peering_status = peering_status(world, rule.peering_id, context.now);
    }
  }
  if (auto tags = tags_of(world, group.account, rule.id); with_no_tags || !tags.empty()) out.tags = std::move(tags);
  const auto& settings = context.services.settings;
  out.security_group_rule_arn = domain::arn_of(settings.partition, "ec2", settings.region, group.account, "security-group-rule/" + rule.id);
  return out;
}

std::string describe_rule(const SecurityRule& rule) {
  const auto peer = rule.cidr + rule.cidr6 + rule.prefix_list_id + rule.group_id;  // one of them
  if (rule.protocol == "-1") return fmt::format("peer: {}, ALL, ALLOW", peer);
  std::string protocol = rule.protocol;
  for (auto& c : protocol)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  if (is_icmp(rule.protocol)) return fmt::format("peer: {}, {}, type: {}, code: {}, ALLOW", peer, protocol, rule.from_port, rule.to_port);
  if (!has_ports(rule)) return fmt::format("peer: {}, protocol {}, ALLOW", peer, protocol);
  return fmt::format("peer: {}, {}, from port: {}, to port: {}, ALLOW", peer, protocol, rule.from_port, rule.to_port);
}

}  // namespace brume::ec2
