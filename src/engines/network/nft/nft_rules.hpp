// Turns what a VPC should be into tables of nftables. Pure; golden files in tests/golden/network.
//
// A packet's way through a VPC's namespace, hook by hook:
//   prerouting  raw       guard         a guest sends only as itself; the outside never as one of ours; a peer VPC only from its ranges to
//                                       ours, so that nobody passes through
//   prerouting  mangle    leaving       egress rules, before translation: a peer reached by its public address is that address;
//                                       the mark of the subnet's route table, by which the kernel then routes
//   prerouting  dstnat    to_private    public → private, for those whose routes lead to the internet gateway
//   input       filter    router        DHCP, DNS, metadata; nothing else here answers a guest
//   forward     filter    between       tap ⇄ tap, tap ⇄ peer VPC, tap → host, and from the host only what was translated; network ACLs
//                                       for every packet; an interface with the destination check gets only what is sent to it
//   postrouting srcnat    to_public     private → public when leaving or coming back from outside, by NAT gateways too; no public
//                                       address: no way out
//   postrouting 150       entering      ingress rules, after translation: a peer that came by a public address is that address
//   arp input   filter    guard         a guest claims only its own address
// Established connections pass; which of them have to end after a change is decided in flows.hpp.
#pragma once

#include <string>
#include <vector>

#include "engines/network/nft/ruleset.hpp"
#include "engines/network/vpc/model.hpp"

namespace brume::network {

inline constexpr std::string_view vpc_table = "brume";  // in each family, inside the VPC's namespace
std::vector<Table> vpc_tables(const Model& model);
// In nft_rules6.cpp: what vpc_tables adds to the inet table of a VPC that has IPv6. Each of the chains above begins with a jump to one
// for IPv6 ("guard6", …), which decides. Without IPv6 `guard` drops all of it.
//   guard6      its own addresses and link-local ones; messages of neighbours and of DHCP, but none of a router
//   leaving6    egress rules; the mark of the route table
//   router6     neighbour discovery, DHCP
//   between6    ACLs; from outside only if the way back leads to the internet gateway, which makes any other gateway egress-only
//   entering6   ingress rules
void add_ipv6_rules(Table& table, const Model& model);

struct HostTableSpec {
  std::string mark;
  std::vector<std::string> pools;        // public addresses of this installation
  std::string links;                     // range of the links between namespaces and host
  std::vector<std::string> masqueraded;  // of the pools: the outside has no route back to them
  std::string uplink{};                  // except where this host answers for them
  std::vector<std::string> pools6{};     // for IPv6; ranges that the internet does not route are masqueraded
};
// On the host itself: guests do not reach the host's own services; what leaves gets the host's address.
std::vector<Table> host_tables(const HostTableSpec& spec);
// What host_tables adds if there is IPv6.
void add_ipv6_rules(Table& table, const HostTableSpec& spec);

}  // namespace brume::network
