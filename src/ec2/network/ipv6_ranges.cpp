#include "ec2/network/ipv6_ranges.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/ipv6.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/network/default_network.hpp"
#include "ec2/network/vpcs.hpp"
#include "ec2/security_groups/security_groups.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::Subnet;
using state::Vpc;
using state::World;

constexpr size_t ipv6_range_limit = 5;         // of a VPC
constexpr std::int64_t all_pass_number = 101;  // of the entries that a default network ACL gets

void refuse_range_option(bool asked, std::string_view what) {
  if (asked) throw wire::unsupported_operation(fmt::format("{} is not supported yet.", what));
}

template <class Request>
bool asks_for_own_range(const Request& request) {
  return given(request.ipv6_cidr_block) || given(request.ipv6_pool);
}
template <class Request>
bool asks_for_ipam(const Request& request) {
  return given(request.ipv6_ipam_pool_id) || request.ipv6_netmask_length;
}

template <class Request>
bool asks(const Request& request) {
  const bool own = asks_for_own_range(request);
  const bool ipam = asks_for_ipam(request);
  const bool amazon = request.amazon_provided_ipv6_cidr_block.value_or(false);
  if (static_cast<int>(own) + static_cast<int>(ipam) + static_cast<int>(amazon) > 1)
    throw wire::invalid_parameter_combination(
        "Only one of AmazonProvidedIpv6CidrBlock, an IPv6 range of one's own and an IPAM pool can be given");
  return amazon;
}

template <class Request>
void refuse_options(const Request& request) {
  refuse_range_option(asks_for_own_range(request), "An IPv6 range of one's own");
  refuse_range_option(asks_for_ipam(request), "IPAM");
  refuse_range_option(given(request.ipv6_cidr_block_network_border_group), "A network border group");
}

std::vector<Ipv6Block> pools(const World& world) {
  const auto* setting = world.find<state::Setting>("ipv6-pool");
  auto blocks = setting == nullptr ? std::nullopt : parse_ipv6_blocks(setting->value);
  if (!blocks || blocks->empty())
    throw wire::unsupported_operation("This installation has no IPv6: its host has none, or --ipv6-pool says so.");
  return *blocks;
}

// A /56 that no VPC uses. A returned one rests until all others have had their turn.
std::string free_range(state::Transaction& transaction) {
  constexpr std::uint64_t most = 65536;  // of a pool: the search ends there
  std::vector<Ipv6Block> taken;
  transaction.world().each<Vpc>("", [&](const Vpc& vpc) {
    for (const auto& range : vpc.ipv6)
      if (const auto block = parse_ipv6_block(range.cidr)) taken.push_back(*block);
  });
  const auto ranges = pools(transaction.world());
  const auto size_of = [](const Ipv6Block& pool) {
    return pool.prefix <= vpc_prefix6 - 16 ? most : std::uint64_t{1} << (vpc_prefix6 - pool.prefix);
  };
  std::uint64_t count = 0;
  for (const auto& pool : ranges) count += size_of(pool);
  --count;  // the last one is the host's own
  const auto* cursor = transaction.find<state::Setting>("ipv6-range-cursor");
  const auto start = cursor == nullptr ? 0 : std::stoull(cursor->value);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto number = (start + i) % count;
    auto rest = number;
    auto pool = ranges.begin();
    for (; rest >= size_of(*pool); ++pool) rest -= size_of(*pool);
    const auto range = ipv6_part(*pool, vpc_prefix6, rest);
    if (std::any_of(taken.begin(), taken.end(), [&](const auto& other) { return overlap(other, range); })) continue;
    transaction.put(state::Setting{"ipv6-range-cursor", std::to_string(number + 1)});
    return format_ipv6_block(range);
  }
  throw wire::insufficient_capacity("Address", "The installation's IPv6 pool has no range left for a VPC.");
}

void open_default_acl(state::Transaction& transaction, const Vpc& vpc) {
  const auto* found = default_acl(transaction.world(), vpc.id);
  if (found == nullptr) return;
  auto acl = *found;
  for (const bool egress : {false, true}) {
    const auto is_there = [&](const state::AclEntry& entry) { return entry.egress == egress && entry.number == all_pass_number; };
    if (std::any_of(acl.entries.begin(), acl.entries.end(), is_there)) continue;
    state::AclEntry entry;
    entry.number = all_pass_number;
    entry.egress = egress;
    entry.allow = true;
    entry.cidr6 = "::/0";
    const auto before = [](const auto& a, const auto& b) { return std::pair(a.egress, a.number) < std::pair(b.egress, b.number); };
    acl.entries.insert(std::upper_bound(acl.entries.begin(), acl.entries.end(), entry, before), entry);
  }
  transaction.put(std::move(acl));
}

void open_default_group(state::Transaction& transaction, const Vpc& vpc) {
  const auto* found = find_group_by_name(transaction.world(), vpc.account, vpc.id, "default");
  if (found == nullptr || found->egress.size() != 1 || found->egress.front().cidr != "0.0.0.0/0") return;
  auto group = *found;
  auto rule = group.egress.front();
  rule.id = make_id(transaction.random(), "sgr");
  rule.cidr.clear();
  rule.cidr6 = "::/0";
  group.egress.push_back(std::move(rule));
  transaction.put(std::move(group));
}

}  // namespace

bool asks_for_ipv6(const wire::ec2::CreateVpcRequest& request) { return asks(request); }
bool asks_for_ipv6(const wire::ec2::AssociateVpcCidrBlockRequest& request) { return asks(request); }
void refuse_ipv6_options(const wire::ec2::CreateVpcRequest& request) { refuse_options(request); }
void refuse_ipv6_options(const wire::ec2::AssociateVpcCidrBlockRequest& request) { refuse_options(request); }

state::VpcRange give_ipv6_range(state::Transaction& transaction, Vpc& vpc) {
  if (vpc.ipv6.size() >= ipv6_range_limit)
    throw wire::ApiError(400, "CidrLimitExceeded",
                         fmt::format("This network {} has met its maximum number of allowed CIDRs: {}", vpc.id, ipv6_range_limit));
  if (vpc.ipv6.empty()) {
    open_default_acl(transaction, vpc);
    open_default_group(transaction, vpc);
  }
  vpc.ipv6.push_back({make_id(transaction.random(), "vpc-cidr-assoc"), free_range(transaction)});
  return vpc.ipv6.back();
}

bool take_ipv6_range(const World& world, Vpc& vpc, const std::string& association_id) {
  const auto at = std::find_if(vpc.ipv6.begin(), vpc.ipv6.end(), [&](const auto& range) { return range.association_id == association_id; });
  if (at == vpc.ipv6.end()) return false;
  const auto whole = parse_ipv6_block(at->cidr).value_or(Ipv6Block{});
  world.each_of<Subnet>(vpc.account, [&](const Subnet& subnet) {
    const auto range = parse_ipv6_block(subnet.ipv6_cidr);
    if (subnet.vpc_id == vpc.id && range && lies_in(*range, whole)) throw has_dependencies("vpc CIDR block", association_id);
  });
  vpc.ipv6.erase(at);
  return true;
}

wire::ec2::VpcIpv6CidrBlockAssociation show_ipv6_range(const Context& context, const state::VpcRange& range, std::string_view state) {
  wire::ec2::VpcIpv6CidrBlockAssociation association;
  association.association_id = range.association_id;
  association.ipv6_cidr_block = range.cidr;
  association.ipv6_cidr_block_state.emplace().state = std::string(state);
  association.network_border_group = context.services.settings.region;
  association.ipv6_pool = "Amazon";
  association.ip_source = "amazon";
  return association;
}

void give_subnet_ipv6(state::Transaction& transaction, const Vpc& vpc, Subnet& subnet, const std::string& cidr) {
  const auto range = parse_ipv6_block(cidr);
  if (!range)
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter ipv6CidrBlock is invalid. This is not a valid IPv6 CIDR block.", cidr));
  const auto text = format_ipv6_block(*range);
  const auto is_inside = [&](const auto& whole) { return lies_in(*range, parse_ipv6_block(whole.cidr).value_or(Ipv6Block{})); };
  if (range->prefix != subnet_prefix6 || std::none_of(vpc.ipv6.begin(), vpc.ipv6.end(), is_inside))
    throw wire::ApiError(400, "InvalidSubnet.Range", fmt::format("The CIDR '{}' is invalid.", text));
  transaction.world().each_of<Subnet>(vpc.account, [&](const Subnet& other) {
    const auto taken = parse_ipv6_block(other.ipv6_cidr);
    if (other.id != subnet.id && taken && overlap(*taken, *range))
      throw wire::ApiError(400, "InvalidSubnet.Conflict", fmt::format("The CIDR '{}' conflicts with another subnet", text));
  });
  subnet.ipv6_cidr = text;
  subnet.ipv6_association_id = make_id(transaction.random(), "subnet-cidr-assoc");
}

std::vector<wire::ec2::SubnetIpv6CidrBlockAssociation> show_subnet_ipv6(const Subnet& subnet, std::string_view state) {
  if (subnet.ipv6_cidr.empty()) return {};
  wire::ec2::SubnetIpv6CidrBlockAssociation association;
  association.association_id = subnet.ipv6_association_id;
  association.ipv6_cidr_block = subnet.ipv6_cidr;
  association.ipv6_cidr_block_state.emplace().state = std::string(state);
  association.ip_source = "amazon";
  return {association};
}

namespace {

wire::ec2::AssociateSubnetCidrBlockResponse associate_ipv6_range(state::Transaction& transaction, const Context& context,
                                                                 const wire::ec2::AssociateSubnetCidrBlockRequest& request) {
  auto subnet = find_subnet(transaction.world(), context.account(), request.subnet_id);
  const bool ipam = given(request.ipv6_ipam_pool_id) || request.ipv6_netmask_length;
  if (!given(request.ipv6_cidr_block) && !ipam) throw wire::missing_parameter("Ipv6CidrBlock");
  if (!subnet.ipv6_cidr.empty())
    throw wire::ApiError(400, "CidrLimitExceeded", fmt::format("This subnet {} has met its maximum number of allowed CIDRs: 1", subnet.id));
  if (given(request.ipv6_cidr_block))
    give_subnet_ipv6(transaction, find_vpc(transaction.world(), context.account(), subnet.vpc_id), subnet, *request.ipv6_cidr_block);
  refuse_range_option(ipam, "IPAM");
  wire::ec2::AssociateSubnetCidrBlockResponse response;
  response.subnet_id = subnet.id;
  response.ipv6_cidr_block_association = show_subnet_ipv6(subnet, "associating").front();
  transaction.put(std::move(subnet));
  return response;
}

wire::ec2::DisassociateSubnetCidrBlockResponse disassociate_ipv6_range(state::Transaction& transaction, const Context& context,
                                                                       const wire::ec2::DisassociateSubnetCidrBlockRequest& request) {
  const auto id = request.association_id.value_or("");
  if (id.empty()) throw wire::missing_parameter("AssociationId");
  check_id("subnet-cidr-assoc", "SubnetCidrBlockAssociationID", id);
  std::optional<Subnet> found;
  transaction.world().each_of<Subnet>(context.account(), [&](const Subnet& subnet) {
    if (subnet.ipv6_association_id == id) found = subnet;
    return !found;
  });
  if (!found)
    throw wire::ApiError(400, "InvalidSubnetCidrBlockAssociationID.NotFound",
                         fmt::format("The subnet CIDR block association ID '{}' does not exist", id));
  transaction.world().each_of<state::NetworkInterface>(found->account, [&](const state::NetworkInterface& interface) {
    if (interface.subnet_id == found->id && !interface.ipv6.empty()) throw has_dependencies("subnet CIDR block", id);
  });
  wire::ec2::DisassociateSubnetCidrBlockResponse response;
  response.subnet_id = found->id;
  response.ipv6_cidr_block_association = show_subnet_ipv6(*found, "disassociating").front();
  found->ipv6_association_id.clear();
  found->ipv6_cidr.clear();
  found->gives_ipv6_address = false;
  transaction.put(std::move(*found));
  return response;
}

}  // namespace

std::vector<service::Action> subnet_ipv6_actions() {
  return {
      service::write_action("AssociateSubnetCidrBlock", associate_ipv6_range),
      service::write_action("DisassociateSubnetCidrBlock", disassociate_ipv6_range),
  };
}

}  // namespace brume::ec2
