// What one VPC shall be: the sum of the calls made so far. Kept as one small file per object in the installation's folder, so that a
// new daemon can change one thing without being told all the others first; the kernel is made to follow it, never the other way.
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

// The interface's addresses of IPv4 with those that stand for them outside, the primary first.
std::vector<AddressSpec> addresses_of(const InterfaceSpec& interface);
// Its own addresses of the family, the primary first.
template <class Family>
std::vector<typename Family::Address> addresses_in(const InterfaceSpec& interface);
template <>
std::vector<std::uint32_t> addresses_in<Ipv4>(const InterfaceSpec& interface);
template <>
std::vector<Ipv6Address> addresses_in<Ipv6>(const InterfaceSpec& interface);
// The ranges that peerings led to and, one by one, do so no more.
std::vector<Ipv4Block> lost_ranges(const VpcSpec& before, const VpcSpec& now);
// The VPC's ranges, the first one first.
template <class Family>
std::vector<typename Family::Block> ranges_of(const VpcSpec& vpc);
template <>
std::vector<Ipv4Block> ranges_of<Ipv4>(const VpcSpec& vpc);
template <>
std::vector<Ipv6Block> ranges_of<Ipv6>(const VpcSpec& vpc);
bool has_ipv6(const VpcSpec& vpc);
// The subnet that the interface is in, the table that rules there, and the ACL; null: none.
const SubnetSpec* subnet_of(const VpcSpec& vpc, const InterfaceSpec& interface);
const RouteTableSpec* route_table_of(const VpcSpec& vpc, const InterfaceSpec& interface);
// Its routes of the family, and these with the most specific first.
template <class Family>
const std::vector<RouteSpec>& routes_of(const RouteTableSpec& table) {
  return is_ipv4<Family> ? table.routes : table.routes6;
}
template <class Family>
std::vector<RouteSpec> sorted_routes(const RouteTableSpec& table);
// The route that packets to the address take; null: none.
template <class Family>
const RouteSpec* route_to(const RouteTableSpec& table, const typename Family::Address& address);
// True: connections of IPv6 that had a way by the one have it by the other too.
bool same_ways6(const VpcSpec& a, const VpcSpec& b);
// The routing table of the kernel that stands for one of EC2's, which is also the mark of the packets that it decides on. The same
// after every restart. An empty id has one too: from there only the VPC is reached.
std::uint32_t table_number(const std::string& route_table_id);

// Base + 2: where a VPC's guests ask for names.
std::string dns_address(const VpcSpec& vpc);
// Base + 1 of the subnet: the router.
std::string router_address(const std::string& subnet_cidr);
// The same of IPv6, but there guests know the router by its link-local address.
Ipv6Address router_address6(const Ipv6Block& subnet);

// Whether ids, addresses and ranges can be used; the error names what cannot.
Result<void> check(const VpcSpec& vpc);
Result<void> check(const NamesSpec& names);
Result<void> check(const InterfaceSpec& interface);
Result<void> check(const GroupSpec& group);

// What a change took away and has still to be undone in the kernel: the connections that no rule allows any more end once the change is in
// force. It is kept on disk before the model is, and forgotten after the connections ended: after a failure or a crash in between, a
// comparison of the model with itself would find nothing to end.
struct PendingCut {
  bool addresses = false;                // addresses were lost too: the routes that lead to them go
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

  // nullopt: nothing is kept. A file that cannot be read is left out with a warning: control will repeat the call.
  std::optional<Model> load() const;
  Result<void> keep(const VpcSpec& vpc) const;
  Result<void> keep(const GroupSpec& group) const;
  Result<void> keep(const InterfaceSpec& interface) const;
  Result<void> keep(const PendingCut& cut) const;
  // A file that is there and cannot be read is a cut as well.
  std::optional<PendingCut> pending_cut() const;
  Result<void> forget_pending_cut() const;
  Result<void> forget_group(const std::string& id) const;
  Result<void> forget_interface(const std::string& id) const;
  void forget_all() const;

 private:
  std::string folder_;
};

}  // namespace brume::network
