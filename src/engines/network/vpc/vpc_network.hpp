// One VPC on this host: its namespace and everything in it. Each change follows the same steps: check, keep, then update links, packet
// filter, DHCP and the host's routes, then end the connections that are no longer allowed.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engines/network/flows/flow_meter.hpp"
#include "engines/network/host/host.hpp"
#include "engines/network/names/dnsmasq.hpp"
#include "engines/network/nft/nft.hpp"
#include "engines/network/nft/table_watch.hpp"
#include "engines/network/vpc/model.hpp"
#include "engines/network/vpn/charon.hpp"

namespace brume::network {

inline constexpr std::uint32_t mark_preference = 1000;  // of the rules that select a route table, before the main one's

// Threads: all functions may be called from any thread; they wait for each other.
class VpcNetwork {
 public:
  VpcNetwork(Host& host, TableWatch& watch, std::string vpc_id, const DnsmasqPlace& place);

  Result<void> ensure(const VpcSpec& vpc);
  Result<void> ensure_all(const VpcSpec& vpc, const std::vector<GroupSpec>& groups, const std::vector<InterfaceSpec>& interfaces);
  Result<void> ensure_interface(const InterfaceSpec& interface);
  Result<void> remove_interface(const std::string& interface_id);
  Result<void> ensure_group(const GroupSpec& group);
  Result<void> remove_group(const std::string& group_id);
  Result<void> remove();

  Result<Descriptor> open_tap(const std::string& interface_id);
  Result<Descriptor> listen_metadata();
  Result<std::vector<TunnelState>> tunnels();
  Result<std::vector<std::string>> interface_ids();
  // Whether nobody else has changed what is there: its name, and the tables in these transactions (none: in any).
  bool is_as_left(const std::set<std::uint32_t>& generations);
  // Empty if nothing of it is here yet.
  Result<TakenFlows> take_flows();
  // VPCs to which a link was added or removed and that have not been told yet. Tell them by peer_changed, until that succeeds.
  std::set<std::string> touched_peers();
  void peer_is_told(const std::string& peer_vpc_id);
  // The other side made or removed a link to this VPC: it is set up here, and routes use it.
  Result<void> peer_changed(const std::string& peer_vpc_id);

 private:
  // The model and the owed cut, as the files have them.
  void load();
  Result<void> require();
  Result<void> ensure_base();
  // Also if somebody removed its name: its content is still in it.
  Result<void> ensure_namespace();
  Result<void> restore_interfaces();
  Result<void> prepare_inside(const LinkEnds& ends);
  // The links to peer VPCs whose namespaces exist. In the namespace. Links are removed only after the routes lead elsewhere.
  Result<void> ensure_peerings();
  Result<void> remove_old_peerings();
  Result<void> make_peering(const PeeringSpec& peering);
  // The kernel's tables, one for each route table, and the rules by which marks select them. In the namespace.
  Result<void> apply_routes(const LinkEnds& ends) const;
  Route kernel_route(const RouteSpec& route, const LinkEnds& ends, int uplink) const;
  bool is_route_target(const std::string& interface_id) const;
  // In vpc_ipv6.cpp; in the namespace. Options, addresses of the router, routes: everything that the model says about IPv6.
  Result<void> apply_ipv6() const;
  Result<void> end_connections6() const;
  // Tunnels and the routes into them. Failure to create tunnels does not fail the VPC.
  Result<void> ensure_tunnels();
  Result<void> ensure_taps(const std::vector<const InterfaceSpec*>& interfaces, bool remove_others) const;
  Result<void> remove_tap(const std::string& interface_id) const;
  Result<void> remove_stale_routes() const;
  static bool take_from_others(Model& model, const InterfaceSpec& interface);
  // Begins or ends counting for flow logs. Failure to count does not fail the VPC.
  void count_flows();
  Result<void> apply_rules();
  // In vpc_cuts.cpp. Every change of the model goes through carry_out: what it takes away is owed before `change` is called, and settled
  // when that succeeded, together with what earlier calls left. If it fails, the caller repeats the call; the cut is still owed then.
  Result<void> carry_out(const std::optional<PendingCut>& cut, const std::function<Result<void>()>& change);
  Result<void> owe(const PendingCut& cut);
  Result<void> settle();
  Result<void> end_connections() const;
  std::vector<std::uint32_t> public_addresses() const;
  // Files first, then the model: if the disk fails, the next call still sees the difference.
  Result<void> keep_exactly(const Model& wanted);

  Host& host_;
  TableWatch& watch_;
  std::string id_;
  std::string namespace_;
  ModelFiles files_;
  std::mutex mutex_;
  std::optional<Model> model_;
  std::optional<PendingCut> cut_;  // owed, and on disk
  std::optional<LinkEnds> ends_;   // set: we have brought the base in order
  Nft nft_;
  Descriptor held_;  // keeps the namespace, which so outlives the removal of its name
  FlowMeter meter_;
  bool uncounted_ = false;  // flows should be counted, and cannot be
  std::set<std::string> touched_peers_;
  bool may_have_links_ = true;     // to peers
  bool repaired_ = false;          // tables were restored: what they forbid may have passed meanwhile
  bool lacks_interfaces_ = false;  // the namespace was made anew, and the model's interfaces are not back in it
  Dnsmasq dnsmasq_;
  Charon charon_;
};

}  // namespace brume::network
