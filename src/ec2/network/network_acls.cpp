// Network ACLs (OPS-038): ordered rules at a subnet's edge, applied to each packet independently. Every subnet is in exactly one.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "ec2/accounts/quotas.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/client_tokens.hpp"
#include "ec2/common/describe.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/network/default_network.hpp"
#include "ec2/network/vpcs.hpp"
#include "wire/ec2/network_acls.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::AclEntry;
using state::NetworkAcl;
using state::World;
using AclAt = FilterSubject<NetworkAcl>;

constexpr std::int64_t last_number = 32766;
constexpr std::int64_t deny_all = 32767;  // what no entry matches
constexpr std::int64_t deny_all6 = 32768;

// ----- filters

template <class Value>
void each_acl_association(const AclAt& at, FilterValues& out, Value value) {
  for (const auto& one : at.record.associations) out.add(value(one));
}
template <auto member>
void each_entry(const AclAt& at, FilterValues& out) {
  for (const auto& entry : at.record.entries) out.add(entry.*member);
}

template <std::string AclEntry::*member>
void each_range(const AclAt& at, FilterValues& out) {
  for (const auto& entry : at.record.entries)
    if (!(entry.*member).empty()) out.add(entry.*member);
}

// ICMP for IPv6 in an entry for IPv4 is a protocol like any other: it has no types.
bool is_icmp(const AclEntry& entry) { return entry.protocol == "1" || (entry.protocol == "58" && !entry.cidr6.empty()); }

// Filters also accept names for some protocols.
std::string name_of_protocol(const std::string& number) {
  if (number == "1") return "icmp";
  if (number == "6") return "tcp";
  if (number == "17") return "udp";
  return number;
}

const FilterField<NetworkAcl> acl_filters[] = {
    field<&NetworkAcl::id>("network-acl-id"),
    field<&NetworkAcl::vpc_id>("vpc-id"),
    field<&NetworkAcl::account>("owner-id"),
    field<&NetworkAcl::is_default>("default"),
    {"association.association-id",
     [](const auto& at, auto& out) { each_acl_association(at, out, [](const auto& one) { return one.id; }); }},
    {"association.network-acl-id",
     [](const auto& at, auto& out) {
       if (!at.record.associations.empty()) out.add(at.record.id);
     }},
    {"association.subnet-id",
     [](const auto& at, auto& out) { each_acl_association(at, out, [](const auto& one) { return one.subnet_id; }); }},
    {"entry.cidr", each_range<&AclEntry::cidr>},
    {"entry.ipv6-cidr", each_range<&AclEntry::cidr6>},
    {"entry.egress", each_entry<&AclEntry::egress>},
    {"entry.protocol",
     [](const auto& at, auto& out) {
       for (const auto& entry : at.record.entries) {
         out.add(entry.protocol);
         out.add(name_of_protocol(entry.protocol));
       }
     }},
    {"entry.rule-number", each_entry<&AclEntry::number>},
    {"entry.rule-action",
     [](const auto& at, auto& out) {
       for (const auto& entry : at.record.entries) out.add(entry.allow ? "allow" : "deny");
       out.add("deny");  // the last one
     }},
    {"entry.icmp.type",
     [](const auto& at, auto& out) {
       for (const auto& entry : at.record.entries)
         if (is_icmp(entry)) out.add(entry.from);
     }},
    {"entry.icmp.code",
     [](const auto& at, auto& out) {
       for (const auto& entry : at.record.entries)
         if (is_icmp(entry)) out.add(entry.to);
     }},
    {"entry.port-range.from",
     [](const auto& at, auto& out) {
       for (const auto& entry : at.record.entries)
         if (entry.protocol == "6" || entry.protocol == "17") out.add(entry.from);
     }},
    {"entry.port-range.to",
     [](const auto& at, auto& out) {
       for (const auto& entry : at.record.entries)
         if (entry.protocol == "6" || entry.protocol == "17") out.add(entry.to);
     }},
};

// ----- show

wire::ec2::NetworkAclEntry show_acl(const AclEntry& entry) {
  wire::ec2::NetworkAclEntry item;
  item.rule_number = entry.number;
  item.egress = entry.egress;
  item.rule_action = entry.allow ? "allow" : "deny";
  item.protocol = entry.protocol;
  if (!entry.cidr.empty()) item.cidr_block = entry.cidr;
  if (!entry.cidr6.empty()) item.ipv6_cidr_block = entry.cidr6;
  if (is_icmp(entry)) {
    auto& icmp = item.icmp_type_code.emplace();
    icmp.type = entry.from;
    icmp.code = entry.to;
  } else if (entry.from >= 0) {
    auto& ports = item.port_range.emplace();
    ports.from = entry.from;
    ports.to = entry.to;
  }
  return item;
}

wire::ec2::NetworkAcl show_acl(const World& world, const NetworkAcl& acl) {
  wire::ec2::NetworkAcl item;
  item.network_acl_id = acl.id;
  item.vpc_id = acl.vpc_id;
  item.owner_id = acl.account;
  item.is_default = acl.is_default;
  const auto* vpc = world.find<state::Vpc>(acl.account, acl.vpc_id);
  for (const bool egress : {true, false}) {
    for (const auto& entry : acl.entries)
      if (entry.egress == egress) item.entries.push_back(show_acl(entry));
    AclEntry last;
    last.number = deny_all;
    last.egress = egress;
    last.cidr = "0.0.0.0/0";
    item.entries.push_back(show_acl(last));
    if (vpc == nullptr || vpc->ipv6.empty()) continue;
    last.number = deny_all6;
    last.cidr.clear();
    last.cidr6 = "::/0";
    item.entries.push_back(show_acl(last));
  }
  for (const auto& one : acl.associations) {
    auto& association = item.associations.emplace_back();
    association.network_acl_association_id = one.id;
    association.network_acl_id = acl.id;
    association.subnet_id = one.subnet_id;
  }
  item.tags = tags_of(world, acl.account, acl.id);
  return item;
}

const NetworkAcl& find_acl(const World& world, const Context& context, const std::optional<std::string>& id) {
  return find_owned<NetworkAcl>(world, context.account(), "acl", "NetworkAclId", id);
}

// ----- create, delete, describe

std::string make_acl(state::Transaction& transaction, const Context& context, const wire::ec2::CreateNetworkAclRequest& request) {
  check_tag_types(request.tag_specifications, {"network-acl"});
  const auto& vpc = find_vpc(transaction.world(), context.account(), request.vpc_id);
  std::int64_t count = 0;
  transaction.world().each_indexed<NetworkAcl>(state::Index::network_acl_by_vpc, vpc.id, [&](const NetworkAcl&) { ++count; });
  check_quota(transaction.world(), context, Quota::network_acls_per_vpc, count);
  NetworkAcl acl;
  acl.account = context.account();
  acl.id = make_id(transaction.random(), "acl");
  acl.vpc_id = vpc.id;
  tag_on_create(transaction, acl.account, acl.id, "network-acl", request.tag_specifications);
  transaction.put(acl);
  return acl.id;
}

wire::ec2::CreateNetworkAclResponse create_acl(state::Transaction& transaction, const Context& context,
                                               const wire::ec2::CreateNetworkAclRequest& request) {
  return create_once<wire::ec2::CreateNetworkAclResponse>(
      transaction, context, "CreateNetworkAcl", request, [&] { return make_acl(transaction, context, request); },
      [&](auto& response, const std::string& id) {
        response.network_acl = show_acl(transaction.world(), find_acl(transaction.world(), context, id));
      });
}

wire::ec2::DeleteNetworkAclResponse delete_acl(state::Transaction& transaction, const Context& context,
                                               const wire::ec2::DeleteNetworkAclRequest& request) {
  const NetworkAcl acl = find_acl(transaction.world(), context, request.network_acl_id);
  if (acl.is_default) throw wire::invalid_parameter_value(fmt::format("cannot delete default network ACL {}", acl.id));
  if (!acl.associations.empty()) throw has_dependencies("networkAcl", acl.id);
  erase_tags(transaction, acl.account, acl.id);
  transaction.erase<NetworkAcl>(acl.key());
  return {};
}

wire::ec2::DescribeNetworkAclsResponse describe_acls(const World& world, const Context& context,
                                                     const wire::ec2::DescribeNetworkAclsRequest& request) {
  wire::ec2::DescribeNetworkAclsResponse response;
  const Listing<NetworkAcl> acls(world, context, request, {.action = "DescribeNetworkAcls", .filters = acl_filters});
  response.next_token =
      acls.each(request.network_acl_ids, "acl", [&](const NetworkAcl& acl) { response.network_acls.push_back(show_acl(world, acl)); });
  return response;
}

// ----- entries

// A number, and no name as in groups' rules: tools that accept names ("aws ec2 create-network-acl-entry") send the number.
std::string read_protocol(const std::optional<std::string>& asked) {
  if (!asked || asked->empty()) throw wire::missing_parameter("Protocol");
  const auto number = parse_integer(*asked);
  if (!number || *number < -1 || *number > 255)
    throw wire::invalid_parameter_value(fmt::format("Invalid value '{}' for IP protocol. Unknown protocol.", *asked));
  return std::to_string(*number);
}

template <class Request>
void read_ports(const Request& request, AclEntry& entry) {
  if (is_icmp(entry)) {
    if (!request.icmp_type_code || !request.icmp_type_code->type || !request.icmp_type_code->code) throw wire::missing_parameter("Icmp");
    entry.from = *request.icmp_type_code->type;
    entry.to = *request.icmp_type_code->code;
    if (entry.from < -1 || entry.from > 255 || entry.to < -1 || entry.to > 255)
      throw wire::invalid_parameter_value(fmt::format("ICMP type and code ({}, {}) out of range", entry.from, entry.to));
  } else if (entry.protocol == "6" || entry.protocol == "17") {
    if (!request.port_range || !request.port_range->from || !request.port_range->to) throw wire::missing_parameter("PortRange");
    entry.from = *request.port_range->from;
    entry.to = *request.port_range->to;
    if (entry.from < 0 || entry.to > 65535 || entry.from > entry.to)
      throw wire::invalid_parameter_value(fmt::format("Invalid TCP/UDP port range ({}:{})", entry.from, entry.to));
  }
}

template <class Request>
AclEntry read_entry(const Request& request) {
  AclEntry entry;
  if (!request.rule_number) throw wire::missing_parameter("RuleNumber");
  entry.number = *request.rule_number;
  if (entry.number < 1 || entry.number > last_number)
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter ruleNumber is invalid.", entry.number));
  if (!request.egress) throw wire::missing_parameter("Egress");
  entry.egress = *request.egress;
  const auto action = request.rule_action.value_or("");
  if (action.empty()) throw wire::missing_parameter("RuleAction");
  if (action != "allow" && action != "deny") throw wire::invalid_parameter_value(fmt::format("Invalid value '{}' for ruleAction.", action));
  entry.allow = action == "allow";
  entry.protocol = read_protocol(request.protocol);
  if (given(request.cidr_block) && given(request.ipv6_cidr_block))
    throw wire::invalid_parameter_combination("An entry has one range: CidrBlock or Ipv6CidrBlock");
  if (given(request.ipv6_cidr_block))
    entry.cidr6 = format_ipv6_block(read_range6("ipv6CidrBlock", request.ipv6_cidr_block));
  else
    entry.cidr = format_ipv4_block(read_range("cidrBlock", request.cidr_block));
  read_ports(request, entry);
  return entry;
}

auto find_acl_entry(NetworkAcl& acl, bool egress, std::int64_t number) {
  return std::find_if(acl.entries.begin(), acl.entries.end(),
                      [&](const AclEntry& entry) { return entry.egress == egress && entry.number == number; });
}

wire::ApiError entry_not_found(const NetworkAcl& acl, bool egress, std::int64_t number) {
  return {400, "InvalidNetworkAclEntry.NotFound",
          fmt::format("The {} network acl entry identified by {} in network acl {} does not exist", egress ? "egress" : "ingress", number,
                      acl.id)};
}

wire::ec2::CreateNetworkAclEntryResponse create_entry(state::Transaction& transaction, const Context& context,
                                                      const wire::ec2::CreateNetworkAclEntryRequest& request) {
  auto acl = find_acl(transaction.world(), context, request.network_acl_id);
  auto entry = read_entry(request);
  if (find_acl_entry(acl, entry.egress, entry.number) != acl.entries.end())
    throw wire::ApiError(400, "NetworkAclEntryAlreadyExists",
                         fmt::format("The network acl entry identified by {} already exists.", entry.number));
  check_quota(transaction.world(), context, Quota::entries_per_acl,
              std::count_if(acl.entries.begin(), acl.entries.end(), [&](const auto& one) { return one.egress == entry.egress; }));
  const auto before = [](const AclEntry& a, const AclEntry& b) { return std::pair(a.egress, a.number) < std::pair(b.egress, b.number); };
  acl.entries.insert(std::upper_bound(acl.entries.begin(), acl.entries.end(), entry, before), entry);
  transaction.put(std::move(acl));
  return {};
}

wire::ec2::ReplaceNetworkAclEntryResponse replace_entry(state::Transaction& transaction, const Context& context,
                                                        const wire::ec2::ReplaceNetworkAclEntryRequest& request) {
  auto acl = find_acl(transaction.world(), context, request.network_acl_id);
  auto entry = read_entry(request);
  const auto at = find_acl_entry(acl, entry.egress, entry.number);
  if (at == acl.entries.end()) throw entry_not_found(acl, entry.egress, entry.number);
  *at = std::move(entry);
  transaction.put(std::move(acl));
  return {};
}

wire::ec2::DeleteNetworkAclEntryResponse delete_entry(state::Transaction& transaction, const Context& context,
                                                      const wire::ec2::DeleteNetworkAclEntryRequest& request) {
  auto acl = find_acl(transaction.world(), context, request.network_acl_id);
  if (!request.rule_number) throw wire::missing_parameter("RuleNumber");
  if (!request.egress) throw wire::missing_parameter("Egress");
  const auto at = find_acl_entry(acl, *request.egress, *request.rule_number);
  if (at == acl.entries.end()) throw entry_not_found(acl, *request.egress, *request.rule_number);
  acl.entries.erase(at);
  transaction.put(std::move(acl));
  return {};
}

// ----- associations

wire::ec2::ReplaceNetworkAclAssociationResponse replace_acl_association(state::Transaction& transaction, const Context& context,
                                                                        const wire::ec2::ReplaceNetworkAclAssociationRequest& request) {
  const auto id = request.association_id.value_or("");
  if (id.empty()) throw wire::missing_parameter("AssociationId");
  check_id("aclassoc", "AssociationID", id);
  std::optional<NetworkAcl> from;
  std::string subnet_id;
  transaction.world().each_of<NetworkAcl>(context.account(), [&](const NetworkAcl& acl) {
    for (const auto& one : acl.associations)
      if (one.id == id) {
        from = acl;
        subnet_id = one.subnet_id;
      }
    return !from;
  });
  if (!from) throw wire::ApiError(400, "InvalidAssociationID.NotFound", fmt::format("The association ID '{}' does not exist", id));
  const NetworkAcl target = find_acl(transaction.world(), context, request.network_acl_id);
  if (target.vpc_id != from->vpc_id)
    throw wire::invalid_parameter_value(fmt::format("network acl {} and subnet {} belong to different networks", target.id, subnet_id));
  std::erase_if(from->associations, [&](const auto& one) { return one.id == id; });
  transaction.put(std::move(*from));
  auto to = *transaction.find<NetworkAcl>(target.key());
  to.associations.push_back({make_id(transaction.random(), "aclassoc"), subnet_id});
  wire::ec2::ReplaceNetworkAclAssociationResponse response;
  response.new_association_id = to.associations.back().id;
  transaction.put(std::move(to));
  return response;
}

}  // namespace

std::vector<service::Action> network_acl_actions() {
  return {
      service::write_action("CreateNetworkAcl", create_acl),
      service::write_action("DeleteNetworkAcl", delete_acl),
      service::read_action("DescribeNetworkAcls", describe_acls),
      service::write_action("CreateNetworkAclEntry", create_entry),
      service::write_action("ReplaceNetworkAclEntry", replace_entry),
      service::write_action("DeleteNetworkAclEntry", delete_entry),
      service::write_action("ReplaceNetworkAclAssociation", replace_acl_association),
  };
}

}  // namespace brume::ec2
