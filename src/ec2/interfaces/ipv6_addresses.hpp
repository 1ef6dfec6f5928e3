// IPv6 addresses of network interfaces.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "service/action.hpp"
#include "state/store.hpp"

namespace brume::ec2 {

// What a request wants for an interface, looked up and checked.
struct Ipv6Plan {
  std::vector<std::string> addresses;  // these,
  std::int64_t count = 0;              // and so many free ones
};

// `instance_type`: empty if the interface is not attached. If nothing is requested, the subnet's default. Throws
// InvalidParameterCombination, InvalidParameterValue, InvalidIPAddress.InUse, PrivateIpAddressLimitExceeded.
Ipv6Plan plan_ipv6(const state::World& world, const state::Subnet& subnet, const std::string& instance_type,
                   const std::optional<std::int64_t>& count, const std::vector<std::string>& addresses);
// Adds them to the interface; the caller puts it.
std::vector<std::string> give_ipv6_addresses(state::Transaction& transaction, const state::Subnet& subnet, const Ipv6Plan& plan,
                                             state::NetworkInterface& interface);

// How many an interface of the type may have: none if the type is older than IPv6 in EC2.
std::int64_t ipv6_addresses_per_interface(const std::string& instance_type);
// Throws PrivateIpAddressLimitExceeded, and InvalidParameterCombination for a type without IPv6.
void check_ipv6_count(const std::string& instance_type, size_t count);

// The text of each element of a list of requests ("Ipv6Addresses.N.Ipv6Address").
template <class Address>
std::vector<std::string> ipv6_texts(const std::vector<Address>& asked) {
  std::vector<std::string> texts;
  for (const auto& one : asked) texts.push_back(one.ipv6_address.value_or(""));
  return texts;
}

// AssignIpv6Addresses, UnassignIpv6Addresses; part of network_interface_actions().
std::vector<service::Action> ipv6_address_actions();

}  // namespace brume::ec2
