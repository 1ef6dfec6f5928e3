// What one VPC should be: the sum of the calls so far. Kept as one small file per object in the installation's folder, so that a new daemon
// can change one thing without being told all the others first. The kernel follows the model, never the reverse.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "engines/network/network_engine.hpp"
#include "engines/network/nft/family.hpp"

namespace brume::network {

struct Model {
  VpcSpec vpc;
  std::map<std::string, GroupSpec> groups;
  std::map<std::string, InterfaceSpec> interfaces;
};

// The interface's IPv4 addresses with the public addresses mapped to them, the primary first.
std::vector<AddressSpec> addresses_of(const InterfaceSpec& interface);
// Its own addresses of the family, the primary first.
template <class Family>
std::vector<typename Family::Address> addresses_in(const InterfaceSpec& interface);
template <>
std::vector<std::uint32_t> addresses_in<Ipv4>(const InterfaceSpec& interface);
template <>
std::vector<Ipv6Address> addresses_in<Ipv6>(const InterfaceSpec& interface);
// The ranges that peerings led to and that, one by one, they no longer do.
std::vector<Ipv4Block> lost_ranges(const VpcSpec& before, const VpcSpec& now);
// The VPC's ranges, the first one first.
template <class Family>
std::vector<typename Family::Block> ranges_of(const VpcSpec& vpc);
template <>
std::vector<Ipv4Block> ranges_of<Ipv4>(const VpcSpec& vpc);
template <>
std::vector<Ipv6Block> ranges_of<Ipv6>(const VpcSpec& vpc);
bool has_ipv6(const VpcSpec& vpc);
// The interface's subnet, its route table and its ACL; null: none.
const SubnetSpec* subnet_of(const VpcSpec& vpc, const InterfaceSpec& interface);
const RouteTableSpec* route_table_of(const VpcSpec& vpc, const InterfaceSpec& interface);
// Its routes of the family, sorted so that the most specific come first.
template <class Family>
const std::vector<RouteSpec>& routes_of(const RouteTableSpec& table) {
  return is_ipv4<Family> ? table.routes : table.routes6;
}
template <class Family>
std::vector<RouteSpec> sorted_routes(const RouteTableSpec& table);
// The route for packets to the address; null: none.
template <class Family>
const RouteSpec* route_to(const RouteTableSpec& table, const typename Family::Address& address);
// True: IPv6 connections that had a way by the first have it by the second too.
bool same_ways6(const VpcSpec& a, const VpcSpec& b);
// The kernel's routing table for one of EC2's, which is also the mark of the packets that use it. The same after every restart. An empty id
// has one too: it reaches only the VPC.
std::uint32_t table_number(const std::string& route_table_id);

// Base + 2: the name server of a VPC's guests.
std::string dns_address(const VpcSpec& vpc);
// Base + 1 of the subnet: the router.
std::string router_address(const std::string& subnet_cidr);
// The same for IPv6, although guests know the router by its link-local address.
Ipv6Address router_address6(const Ipv6Block& subnet);

// Whether ids, addresses and ranges can be used; the error names the one that cannot.
Result<void> check(const VpcSpec& vpc);
Result<void> check(const NamesSpec& names);
Result<void> check(const InterfaceSpec& interface);
Result<void> check(const GroupSpec& group);

// What a change took away and must still be undone in the kernel: connections that no rule allows any more end once the change is in force.
// It is written to disk before the model, and removed after the connections have ended: after a failure or a crash in between, comparing
// the model with itself would find nothing to end.
struct PendingCut {
  bool addresses = false;                // addresses were lost too: the routes to them are removed
  std::vector<std::string> lost_ranges;  // ranges that peerings led to

  void add(const PendingCut& other);
  bool operator==(const PendingCut&) const = default;
};
// What the second specification of a VPC takes away from the first; nullopt: nothing.
std::optional<PendingCut> cut_between(const VpcSpec& before, const VpcSpec& now);

// Files of one VPC: vpc.json, groups/<id>.json, interfaces/<id>.json, pending_cut.json.
class ModelFiles {
 public:
  explicit ModelFiles(std::string folder) : folder_(std::move(folder)) {}

  // nullopt: nothing is kept. A file that cannot be read is skipped with a warning, because control will repeat the call.
  std::optional<Model> load() const;
  Result<void> keep(const VpcSpec& vpc) const;
  Result<void> keep(const GroupSpec& group) const;
  Result<void> keep(const InterfaceSpec& interface) const;
  Result<void> keep(const PendingCut& cut) const;
  // A file that exists and cannot be read counts as a cut too.
  std::optional<PendingCut> pending_cut() const;
  Result<void> forget_pending_cut() const;
  Result<void> forget_group(const std::string& id) const;
  Result<void> forget_interface(const std::string& id) const;
  void forget_all() const;

 private:
  std::string folder_;
};

}  // namespace brume::network
