#include "ec2/network/default_network.hpp"

#include <fmt/format.h>

#include "base/ipv4.hpp"
#include "base/text.hpp"
#include "domain/classic.hpp"
#include "wire/api_error.hpp"

namespace brume::ec2 {
namespace {

bool has_default_group(const state::World& world, const state::Vpc& vpc) {
  bool found = false;
  world.each_of<state::SecurityGroup>(vpc.account, [&](const state::SecurityGroup& group) {
    found = group.vpc_id == vpc.id && group.name == "default";
    return !found;
  });
  return found;
}

// "default": its members reach each other and everything outside (NET-049).
void make_default_group(state::Transaction& transaction, const state::Vpc& vpc) {
  if (has_default_group(transaction.world(), vpc)) return;
  state::SecurityGroup group;
  group.account = vpc.account;
  group.id = make_id(transaction.random(), "sg");
  group.name = "default";
  group.description = "default VPC security group";
  group.vpc_id = vpc.id;
  state::SecurityRule from_members;
  from_members.id = make_id(transaction.random(), "sgr");
  from_members.protocol = "-1";
  from_members.group_account = vpc.account;
  from_members.group_id = group.id;
  group.ingress.push_back(from_members);
  state::SecurityRule to_all;
  to_all.id = make_id(transaction.random(), "sgr");
  to_all.protocol = "-1";
  to_all.cidr = "0.0.0.0/0";
  group.egress.push_back(to_all);
  transaction.put(std::move(group));
}

void make_default_acl(state::Transaction& transaction, const state::Vpc& vpc) {
  state::NetworkAcl acl;
  acl.account = vpc.account;
  acl.id = make_id(transaction.random(), "acl");
  acl.vpc_id = vpc.id;
  acl.is_default = true;
  for (const bool egress : {false, true}) {
    auto& entry = acl.entries.emplace_back();
    entry.egress = egress;
    entry.allow = true;
    entry.cidr = "0.0.0.0/0";
  }
  transaction.world().each_of<state::Subnet>(vpc.account, [&](const state::Subnet& subnet) {
    if (subnet.vpc_id == vpc.id) acl.associations.push_back({make_id(transaction.random(), "aclassoc"), subnet.id});
  });
  transaction.put(std::move(acl));
}

// An internet gateway, and a route to it in the main route table.
void open_to_internet(state::Transaction& transaction, const state::Vpc& vpc) {
  state::InternetGateway gateway;
  gateway.account = vpc.account;
  gateway.id = make_id(transaction.random(), "igw");
  gateway.vpc_id = vpc.id;
  auto table = *main_route_table(transaction.world(), vpc.id);
  state::RouteEntry route;
  route.cidr = "0.0.0.0/0";
  route.gateway_id = gateway.id;
  table.routes.push_back(std::move(route));
  transaction.put(std::move(gateway));
  transaction.put(std::move(table));
}

}  // namespace

state::Subnet make_default_subnet(state::Transaction& transaction, const state::Vpc& vpc, const std::string& zone, std::uint32_t base) {
  state::Subnet subnet;
  subnet.account = vpc.account;
  subnet.id = make_id(transaction.random(), "subnet");
  subnet.vpc_id = vpc.id;
  subnet.cidr = format_ipv4_block({base, default_subnet_prefix});
  subnet.zone = zone;
  subnet.is_default = true;
  subnet.gives_public_address = true;
  transaction.put(subnet);
  return subnet;
}

state::Vpc make_default_network(state::Transaction& transaction, const std::string& account, const service::Settings& settings) {
  state::Vpc vpc;
  vpc.account = account;
  vpc.id = make_id(transaction.random(), "vpc");
  vpc.cidr = "172.31.0.0/16";
  vpc.is_default = true;
  std::uint32_t base = *parse_ipv4("172.31.0.0");
  for (const auto& zone : domain::zones_of(transaction.world(), account, settings.zones)) {
    make_default_subnet(transaction, vpc, zone.name, base);
    base += 1U << (32 - default_subnet_prefix);
  }
  vpc.dhcp_options_id = default_dhcp_options(transaction, account, settings);
  make_vpc_parts(transaction, vpc);
  open_to_internet(transaction, vpc);
  transaction.put(vpc);
  return vpc;
}

void make_classic_place(state::Transaction& transaction, const std::string& account) {
  domain::ensure_classic_network(transaction);
  state::SecurityGroup group;
  group.account = account;
  group.id = make_id(transaction.random(), "sg");
  group.name = "default";
  group.description = "default group";
  group.vpc_id = domain::classic_network;
  struct Range {
    const char* protocol;
    std::int64_t from;
    std::int64_t to;
  };
  // NET-049: its members reach each other with everything that a group of EC2-Classic can name.
  for (const auto& range : {Range{"icmp", -1, -1}, Range{"tcp", 0, 65535}, Range{"udp", 0, 65535}}) {
    auto& rule = group.ingress.emplace_back();
    rule.id = make_id(transaction.random(), "sgr");
    rule.protocol = range.protocol;
    rule.from_port = range.from;
    rule.to_port = range.to;
    rule.group_account = account;
    rule.group_id = group.id;
  }
  transaction.put(std::move(group));
}

void make_first_network(state::Transaction& transaction, const std::string& account, const service::Settings& settings) {
  if (domain::has_classic(transaction.world(), account))
    make_classic_place(transaction, account);
  else
    make_default_network(transaction, account, settings);
}

std::string default_dhcp_options(state::Transaction& transaction, const std::string& account, const service::Settings& settings) {
  state::DhcpOptions set;
  set.account = account;
  set.options = {{"domain-name", {settings.private_domain}}, {"domain-name-servers", {"AmazonProvidedDNS"}}};
  const auto same = [](const state::DhcpOption& a, const state::DhcpOption& b) { return a.name == b.name && a.values == b.values; };
  transaction.world().each_of<state::DhcpOptions>(account, [&](const state::DhcpOptions& other) {
    if (std::equal(set.options.begin(), set.options.end(), other.options.begin(), other.options.end(), same)) set.id = other.id;
    return set.id.empty();
  });
  if (!set.id.empty()) return set.id;
  set.id = make_id(transaction.random(), "dopt");
  auto id = set.id;
  transaction.put(std::move(set));
  return id;
}

void make_vpc_parts(state::Transaction& transaction, const state::Vpc& vpc) {
  make_default_group(transaction, vpc);
  state::RouteTable table;
  table.account = vpc.account;
  table.id = make_id(transaction.random(), "rtb");
  table.vpc_id = vpc.id;
  table.associations.push_back({make_id(transaction.random(), "rtbassoc"), ""});
  transaction.put(std::move(table));
  make_default_acl(transaction, vpc);
}

void complete_networks(state::Transaction& transaction, const service::Settings& settings) {
  std::vector<state::Vpc> vpcs;
  transaction.world().each<state::Vpc>("", [&](const state::Vpc& vpc) {
    if (main_route_table(transaction.world(), vpc.id) == nullptr) vpcs.push_back(vpc);
  });
  for (auto& vpc : vpcs) {
    make_vpc_parts(transaction, vpc);
    open_to_internet(transaction, vpc);
    vpc.dhcp_options_id = default_dhcp_options(transaction, vpc.account, settings);
    transaction.put(std::move(vpc));
  }
}

const state::RouteTable* main_route_table(const state::World& world, const std::string& vpc_id) {
  const state::RouteTable* found = nullptr;
  world.each_indexed<state::RouteTable>(state::Index::route_table_by_vpc, vpc_id, [&](const state::RouteTable& table) {
    if (table.is_main()) found = &table;
    return found == nullptr;
  });
  return found;
}

const state::NetworkAcl* default_acl(const state::World& world, const std::string& vpc_id) {
  const state::NetworkAcl* found = nullptr;
  world.each_indexed<state::NetworkAcl>(state::Index::network_acl_by_vpc, vpc_id, [&](const state::NetworkAcl& acl) {
    if (acl.is_default) found = &acl;
    return found == nullptr;
  });
  return found;
}

void join_default_acl(state::Transaction& transaction, const state::Subnet& subnet) {
  const auto* found = default_acl(transaction.world(), subnet.vpc_id);
  if (found == nullptr) return;
  auto acl = *found;
  acl.associations.push_back({make_id(transaction.random(), "aclassoc"), subnet.id});
  transaction.put(std::move(acl));
}

void require_internet_gateway(const state::World& world, const std::string& vpc_id) {
  if (world.find_indexed<state::InternetGateway>(state::Index::internet_gateway_by_vpc, vpc_id) == nullptr)
    throw wire::ApiError(400, "Gateway.NotAttached", fmt::format("Network {} is not attached to any internet gateway", vpc_id));
}

}  // namespace brume::ec2
