// Elastic IP addresses (NET-036 ff., OPS-061, OPS-122). An address is mapped to one private address of one interface; the packet path
// follows the interface's record.
//
// Domain "vpc" is today's: named by allocation and association ids, kept while the instance is stopped. Domain "standard" is the guide's:
// named by the address itself, disassociated at a stop, and the default for 2011's clients and for accounts with EC2-Classic. Such accounts
// have both, each for its own kind of instances; in an account without EC2-Classic both are mapped to instances in VPCs.
#include <fmt/format.h>

#include <algorithm>

#include "base/ipv4.hpp"
#include "domain/classic.hpp"
#include "domain/elastic_ips.hpp"
#include "ec2/accounts/quotas.hpp"
#include "ec2/actions.hpp"
#include "ec2/common/absent_tags.hpp"
#include "ec2/common/filters.hpp"
#include "ec2/common/find_owned.hpp"
#include "ec2/common/free_addresses.hpp"
#include "ec2/common/resource_ids.hpp"
#include "ec2/common/tags.hpp"
#include "ec2/instances/instances.hpp"
#include "ec2/interfaces/network_interfaces.hpp"
#include "ec2/network/default_network.hpp"
#include "wire/ec2/addresses.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::ElasticIp;
using state::NetworkInterface;
using state::World;

wire::ApiError no_permission() { return {400, "AuthFailure", "You do not have permission to access the specified resource."}; }

std::string instance_of(const World& world, const ElasticIp& address) {
  const auto* interface = world.find<NetworkInterface>(address.account, address.interface_id);
  return interface == nullptr ? std::string() : interface->instance_id;
}

// ----- find

const ElasticIp& find_by_allocation(const World& world, const std::string& account, const std::string& id) {
  check_id("eipalloc", id);
  const auto* address = world.find<ElasticIp>(account, id);
  if (address == nullptr) throw id_unknown("eipalloc", id);
  return *address;
}

const ElasticIp& find_by_public_ip(const World& world, const std::string& account, const std::string& public_ip) {
  if (!parse_ipv4(public_ip)) throw wire::invalid_parameter_value(fmt::format("Invalid value '{}' for address", public_ip));
  const auto* address = domain::find_elastic_ip(world, public_ip);
  if (address == nullptr) throw wire::ApiError(400, "InvalidAddress.NotFound", fmt::format("Address '{}' not found.", public_ip));
  if (address->account != account)
    throw wire::ApiError(400, "AuthFailure", fmt::format("The address '{}' does not belong to you.", public_ip));
  return *address;
}

template <class Request>
const ElasticIp& find_address(const World& world, const Context& context, const Request& request) {
  if (given(request.allocation_id) && given(request.public_ip))
    throw wire::invalid_parameter_combination("You may specify public IP or allocation id, but not both in the same call");
  if (given(request.allocation_id)) return find_by_allocation(world, context.account(), *request.allocation_id);
  if (!given(request.public_ip)) throw wire::missing_parameter("AllocationId or PublicIp");
  return find_by_public_ip(world, context.account(), *request.public_ip);
}

// ----- allocate, release

void check_address_limit(const World& world, const Context& context, const std::string& domain) {
  const bool apart = domain::has_classic(world, context.account());
  std::int64_t count = 0;
  world.each_of<ElasticIp>(context.account(), [&](const ElasticIp& address) { count += !apart || address.domain == domain; });
  check_quota(world, context, Quota::addresses, count);
}

wire::ec2::AllocateAddressResponse allocate_address(state::Transaction& transaction, const Context& context,
                                                    const wire::ec2::AllocateAddressRequest& request) {
  const auto& region = context.services.settings.region;
  const bool has_classic = domain::has_classic(transaction.world(), context.account());
  const auto domain = request.domain.value_or(context.is_2011() || has_classic ? "standard" : "vpc");
  if (domain != "vpc" && domain != "standard") throw wire::invalid_parameter_value(fmt::format("Invalid value '{}' for domain.", domain));
  if (given(request.address) && !parse_ipv4(*request.address))
    throw wire::invalid_parameter_value(fmt::format("Invalid value '{}' for address", *request.address));
  if (request.public_ipv4_pool.value_or("amazon") != "amazon")
    throw wire::ApiError(400, "InvalidPublicIpv4PoolID.NotFound",
                         fmt::format("The pool ID '{}' does not exist", *request.public_ipv4_pool));
  if (request.network_border_group.value_or(region) != region)
    throw wire::invalid_parameter_value(fmt::format("Invalid value '{}' for NetworkBorderGroup.", *request.network_border_group));
  check_tag_types(request.tag_specifications, {"elastic-ip"});
  check_address_limit(transaction.world(), context, domain);
  if (given(request.address) || given(request.customer_owned_ipv4_pool) || given(request.ipam_pool_id))
    throw wire::unsupported_operation("Addresses come from this installation's pool and cannot be chosen.");
  ElasticIp address;
  address.account = context.account();
  address.allocation_id = make_id(transaction.random(), "eipalloc");
  address.public_ip = take_public_address(transaction);
  address.domain = domain;
  tag_on_create(transaction, address.account, address.allocation_id, "elastic-ip", request.tag_specifications);
  wire::ec2::AllocateAddressResponse response;
  response.public_ip = address.public_ip;
  response.domain = domain;
  if (domain == "vpc") response.allocation_id = address.allocation_id;
  if (!context.is_2011()) {
    response.public_ipv4_pool = "amazon";
    response.network_border_group = region;
  }
  transaction.put(std::move(address));
  return response;
}

// The instance whose public address the Elastic IP was gets one of the pool instead (NET-037), if it is given such an address at its start
// and has no further interface.
void give_back_public_address(state::Transaction& transaction, const std::string& account, const std::string& interface_id) {
  const auto* found = transaction.find<NetworkInterface>(account, interface_id);
  if (found == nullptr || !found->public_ip.empty() || !found->wants_public_address || found->device_index != 0) return;
  const auto* instance = transaction.find<state::Instance>(account, found->instance_id);
  if (instance == nullptr || instance->state != state::InstanceState::running || instance->interface_ids.size() > 1) return;
  auto interface = *found;
  interface.public_ip = take_public_address(transaction);
  transaction.put(std::move(interface));
}

void disassociate_address(state::Transaction& transaction, const ElasticIp& address) {
  const auto account = address.account;
  const auto interface_id = address.interface_id;
  domain::disassociate(transaction, address);
  give_back_public_address(transaction, account, interface_id);
}

void refuse_managed(const World& world, const ElasticIp& address) {
  const auto* interface = world.find<NetworkInterface>(address.account, address.interface_id);
  if (interface != nullptr && interface->is_managed()) throw no_permission();
}

wire::ec2::ReleaseAddressResponse release_address(state::Transaction& transaction, const Context& context,
                                                  const wire::ec2::ReleaseAddressRequest& request) {
  const auto& region = context.services.settings.region;
  if (request.network_border_group.value_or(region) != region)
    throw wire::invalid_parameter_value(fmt::format("Invalid value '{}' for NetworkBorderGroup.", *request.network_border_group));
  const ElasticIp address = find_address(transaction.world(), context, request);
  if (address.domain == "vpc" && given(request.public_ip))
    throw wire::invalid_parameter_value("You must specify an allocation id when releasing a VPC elastic IP address");
  if (!address.domain_name.empty())
    throw wire::ApiError(
        400, "InvalidAddress.Locked",
        fmt::format("The address with allocation id [{}] has a reverse record; reset its domain-name first.", address.allocation_id));
  if (!address.association_id.empty()) {
    // NET-044: the guide's addresses are disassociated first.
    if (address.domain == "vpc")
      throw wire::ApiError(400, "InvalidIPAddress.InUse", fmt::format("Address {} is in use.", address.public_ip));
    refuse_managed(transaction.world(), address);
    disassociate_address(transaction, address);
  }
  erase_tags(transaction, address.account, address.allocation_id);
  transaction.erase<ElasticIp>(address.key());
  return {};
}

// ----- associate, disassociate

const NetworkInterface& interface_of_instance(const World& world, const Context& context, const std::string& id) {
  const auto& instance = *find_instances(world, context.account(), {id}).front();
  const auto now = instance.state;
  if (now != state::InstanceState::running && now != state::InstanceState::stopped)
    throw wire::ApiError(400, "InvalidInstanceID",
                         fmt::format("The {} instance '{}' is not in a valid state for this operation.", state::name_of(now), id));
  if (instance.interface_ids.size() > 1)
    throw wire::ApiError(400, "InvalidInstanceID",
                         fmt::format("There are multiple interfaces attached to instance '{}'. Please specify an interface ID for the "
                                     "operation instead.",
                                     id));
  // Not by find_interface, because no client knows the interface of an instance in EC2-Classic. NET-042: the instance must be running.
  const auto& interface = *world.find<NetworkInterface>(context.account(), instance.interface_ids.front());
  if (domain::is_classic(interface) && now != state::InstanceState::running)
    throw wire::ApiError(400, "InvalidInstanceID",
                         fmt::format("The {} instance '{}' is not in a valid state for this operation.", state::name_of(now), id));
  return interface;
}

// If there are two kinds of instances, each has its own kind of addresses (NET-036).
void check_domain(const World& world, const ElasticIp& address, const NetworkInterface& interface) {
  if (!domain::has_classic(world, address.account) || domain::is_classic(interface) == (address.domain == "standard")) return;
  throw wire::invalid_parameter_combination(
      address.domain == "standard"
          ? fmt::format("The address {} is for EC2-Classic, and the instance is in a VPC: it takes one with an allocation id",
                        address.public_ip)
          : fmt::format("The address {} is for a VPC, and the instance is in EC2-Classic", address.public_ip));
}

NetworkInterface interface_asked(const World& world, const Context& context, const wire::ec2::AssociateAddressRequest& request) {
  const bool by_instance = given(request.instance_id);
  const bool by_interface = given(request.network_interface_id);
  if (!by_instance && !by_interface) throw wire::missing_parameter("InstanceId or NetworkInterfaceId");
  if (by_instance && by_interface)
    throw wire::invalid_parameter_combination("You may specify an instance or a network interface, but not both in the same call");
  return by_instance ? interface_of_instance(world, context, *request.instance_id)
                     : find_own_interface(world, context.account(), request.network_interface_id);
}

bool has_private_ip(const NetworkInterface& interface, const std::string& address) {
  return interface.private_ip == address ||
         std::any_of(interface.secondary.begin(), interface.secondary.end(), [&](const auto& one) { return one.private_ip == address; });
}

wire::ec2::AssociateAddressResponse associate_address(state::Transaction& transaction, const Context& context,
                                                      const wire::ec2::AssociateAddressRequest& request) {
  auto address = find_address(transaction.world(), context, request);
  const auto target = interface_asked(transaction.world(), context, request);
  const auto private_ip = given(request.private_ip_address) ? *request.private_ip_address : target.private_ip;
  if (!has_private_ip(target, private_ip))
    throw wire::invalid_parameter_value(fmt::format("The private IP address {} is not one of the interface {}", private_ip, target.id));
  check_domain(transaction.world(), address, target);
  require_internet_gateway(transaction.world(), target.vpc_id);
  wire::ec2::AssociateAddressResponse response;
  const auto answer = [&] {
    if (address.domain == "vpc") response.association_id = address.association_id;
    return response;
  };
  if (address.interface_id == target.id && address.private_ip == private_ip) return answer();
  if (!address.association_id.empty()) {
    refuse_managed(transaction.world(), address);
    if (!request.allow_reassociation.value_or(true))
      throw wire::ApiError(
          400, "Resource.AlreadyAssociated",
          fmt::format("resource {} is already associated with associate-id {}", address.allocation_id, address.association_id));
    disassociate_address(transaction, address);
  }
  auto interface = *transaction.find<NetworkInterface>(target.key());
  if (const auto* earlier = domain::find_elastic_ip(transaction.world(), domain::public_ip_of(interface, private_ip))) {
    if (!request.allow_reassociation.value_or(true))
      throw wire::ApiError(400, "Resource.AlreadyAssociated",
                           fmt::format("the private IP address {} is already associated with {}", private_ip, earlier->allocation_id));
    domain::disassociate(transaction, *earlier);
  }
  // A public address of the pool returns to it.
  interface = *transaction.find<NetworkInterface>(target.key());
  domain::set_public_ip(interface, private_ip, address.public_ip);
  transaction.put(std::move(interface));
  address.association_id = make_id(transaction.random(), "eipassoc");
  address.interface_id = target.id;
  address.private_ip = private_ip;
  transaction.put(address);
  return answer();
}

const ElasticIp* find_by_association(const World& world, const std::string& account, const std::string& id) {
  const ElasticIp* found = nullptr;
  world.each_of<ElasticIp>(account, [&](const ElasticIp& address) {
    if (address.association_id == id) found = &address;
    return found == nullptr;
  });
  return found;
}

wire::ec2::DisassociateAddressResponse disassociate_address(state::Transaction& transaction, const Context& context,
                                                            const wire::ec2::DisassociateAddressRequest& request) {
  if (given(request.association_id) && given(request.public_ip))
    throw wire::invalid_parameter_combination("You may specify public IP or association id, but not both in the same call");
  if (!given(request.association_id) && !given(request.public_ip)) throw wire::missing_parameter("AssociationId or PublicIp");
  if (given(request.association_id)) check_id("eipassoc", "AssociationID", *request.association_id);
  const auto* found = given(request.association_id) ? find_by_association(transaction.world(), context.account(), *request.association_id)
                                                    : &find_by_public_ip(transaction.world(), context.account(), *request.public_ip);
  if (found == nullptr)
    throw wire::ApiError(400, "InvalidAssociationID.NotFound",
                         fmt::format("The association ID '{}' does not exist", *request.association_id));
  // An address that is not associated is already as requested.
  if (found->association_id.empty()) return {};
  refuse_managed(transaction.world(), *found);
  disassociate_address(transaction, *found);
  return {};
}

// ----- between the domains

// NotFound, AuthFailure, or the reason why it cannot change its domain.
ElasticIp address_to_move(const World& world, const Context& context, const std::string& public_ip, const std::string& domain) {
  const auto& address = find_by_public_ip(world, context.account(), public_ip);
  if (address.domain == domain)
    throw wire::invalid_parameter_value(fmt::format("The address {} is of the domain '{}' already", public_ip, domain));
  if (!address.association_id.empty())
    throw wire::ApiError(400, "InvalidIPAddress.InUse",
                         fmt::format("Address {} is in use: it moves when it stands for nothing.", public_ip));
  // If the domains are counted together, nothing changes.
  if (domain::has_classic(world, context.account())) check_address_limit(world, context, domain);
  return address;
}

wire::ec2::MoveAddressToVpcResponse move_address_to_vpc(state::Transaction& transaction, const Context& context,
                                                        const wire::ec2::MoveAddressToVpcRequest& request) {
  auto address = address_to_move(transaction.world(), context, *request.public_ip, "vpc");
  address.domain = "vpc";
  address.moved = true;
  wire::ec2::MoveAddressToVpcResponse response;
  response.allocation_id = address.allocation_id;
  response.status = "InVpc";
  transaction.put(std::move(address));
  return response;
}

wire::ec2::RestoreAddressToClassicResponse restore_address_to_classic(state::Transaction& transaction, const Context& context,
                                                                      const wire::ec2::RestoreAddressToClassicRequest& request) {
  auto address = address_to_move(transaction.world(), context, *request.public_ip, "standard");
  if (!address.moved)
    throw wire::invalid_parameter_value(
        fmt::format("The address {} was allocated for a VPC: only what was moved there goes back", address.public_ip));
  address.domain = "standard";
  address.moved = false;
  wire::ec2::RestoreAddressToClassicResponse response;
  response.public_ip = address.public_ip;
  response.status = "InClassic";
  transaction.put(std::move(address));
  return response;
}

// ----- describe

template <class Value>
void if_associated(const FilterSubject<ElasticIp>& at, FilterValues& out, Value value) {
  if (!at.record.association_id.empty()) out.add(value(at));
}

const FilterField<ElasticIp> address_filters[] = {
    field<&ElasticIp::allocation_id>("allocation-id"),
    {"association-id", [](const auto& at, auto& out) { if_associated(at, out, [](const auto& a) { return a.record.association_id; }); }},
    field<&ElasticIp::domain>("domain"),
    {"instance-id",
     [](const auto& at, auto& out) {
       if (const auto id = instance_of(at.world, at.record); !id.empty()) out.add(id);
     }},
    {"network-interface-id",
     [](const auto& at, auto& out) { if_associated(at, out, [](const auto& a) { return a.record.interface_id; }); }},
    {"network-interface-owner-id",
     [](const auto& at, auto& out) { if_associated(at, out, [](const auto& a) { return a.record.account; }); }},
    {"private-ip-address", [](const auto& at, auto& out) { if_associated(at, out, [](const auto& a) { return a.record.private_ip; }); }},
    field<&ElasticIp::public_ip>("public-ip"),
    {"network-border-group", [](const auto& at, auto& out) { out.add(at.context->services.settings.region); }},
};

wire::ec2::Address show_address(const World& world, const Context& context, const ElasticIp& address) {
  wire::ec2::Address item;
  item.public_ip = address.public_ip;
  item.domain = address.domain;
  item.instance_id = instance_of(world, address);
  if (address.domain == "vpc") {
    item.allocation_id = address.allocation_id;
    if (item.instance_id->empty()) item.instance_id.reset();
    if (!address.association_id.empty()) {
      item.association_id = address.association_id;
      item.network_interface_id = address.interface_id;
      item.network_interface_owner_id = address.account;
      item.private_ip_address = address.private_ip;
      if (const auto* interface = world.find<NetworkInterface>(address.account, address.interface_id))
        item.subnet_id = interface->subnet_id;
    }
  }
  item.public_ipv4_pool = "amazon";
  item.network_border_group = context.services.settings.region;
  item.tags = tags_if_any(world, context, address.account, address.allocation_id);
  return item;
}

wire::ec2::DescribeAddressesResponse describe_addresses(const World& world, const Context& context,
                                                        const wire::ec2::DescribeAddressesRequest& request) {
  std::vector<std::string> asked;
  for (const auto& ip : request.public_ips) asked.push_back(find_by_public_ip(world, context.account(), ip).allocation_id);
  for (const auto& id : request.allocation_ids) asked.push_back(find_by_allocation(world, context.account(), id).allocation_id);
  const FilterSet<ElasticIp> filters(address_filters, request.filters, &context);
  wire::ec2::DescribeAddressesResponse response;
  world.each_of<ElasticIp>(context.account(), [&](const ElasticIp& address) {
    if (!asked.empty() && std::find(asked.begin(), asked.end(), address.allocation_id) == asked.end()) return;
    if (!filters.match(world, address, address.account, address.allocation_id)) return;
    response.addresses.push_back(show_address(world, context, address));
  });
  return response;
}

}  // namespace

std::vector<service::Action> address_actions() {
  return {
      service::write_action("AllocateAddress", allocate_address),
      service::write_action("AssociateAddress", associate_address),
      service::write_action("DisassociateAddress", disassociate_address),
      service::write_action("ReleaseAddress", release_address),
      service::read_action("DescribeAddresses", describe_addresses),
      service::write_action("MoveAddressToVpc", move_address_to_vpc),
      service::write_action("RestoreAddressToClassic", restore_address_to_classic),
  };
}

}  // namespace brume::ec2
