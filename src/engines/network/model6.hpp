// The IPv6 part of what a VPC shall be.
#pragma once

#include <vector>

#include "base/ipv6.hpp"
#include "engines/network/model.hpp"

namespace boost::json {
class object;
}

namespace brume::network {

bool has_ipv6(const VpcSpec& vpc);
std::vector<Ipv6Block> ranges6_of(const VpcSpec& vpc);
// The interface's addresses.
std::vector<Ipv6Address> addresses6_of(const InterfaceSpec& interface);
// Base + 1 of the subnet: an address of the router. Guests know the router by its link-local one.
Ipv6Address router_address6(const Ipv6Block& subnet);
// The route of IPv6 that packets to the address take; null: none.
const RouteSpec* route6_to(const RouteTableSpec& table, const Ipv6Address& address);
// Its routes of IPv6, the most specific first.
std::vector<RouteSpec> sorted_routes6(const RouteTableSpec& table);

// Connections that had a way by the one have it by the other too.
bool same_ways6(const VpcSpec& a, const VpcSpec& b);

Result<void> check_ipv6(const VpcSpec& vpc);
Result<void> check_ipv6(const InterfaceSpec& interface);

// In the files of the model: members that only what has IPv6 has.
void write_ipv6(const VpcSpec& vpc, boost::json::object& to);
void read_ipv6(const boost::json::object& from, VpcSpec& vpc);
void write_ipv6(const InterfaceSpec& interface, boost::json::object& to);
void read_ipv6(const boost::json::object& from, InterfaceSpec& interface);

}  // namespace brume::network
