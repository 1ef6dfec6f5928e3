// The packet path: what a VPC, an interface, a security group and a public address are on this machine. One implementation uses network
// namespaces, taps, nftables and dnsmasq; one only pretends (simulation mode).
//
// Only src/control calls this. Everything made on the host carries this installation's mark in its name; only what carries it is ever
// changed or removed. All calls are idempotent: what is already as wanted is left alone, so that a restart can repeat them without
// disturbing a connection.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/descriptor.hpp"
#include "base/result.hpp"

namespace brume::network {

// Where packets to a range go. The most specific range decides, as in any router.
struct RouteSpec {
  enum class Target { internet, interface, nat, nowhere, peering, vpn, egress_only };  // stored as numbers: add new ones at the end
  std::string cidr;
  Target target = Target::nowhere;
  std::string id;  // id of the interface ("eni-…"), the NAT gateway, or the peering connection
};

// The VPC's own ranges need no route: they are reached from everywhere in it.
struct RouteTableSpec {
  std::string id;  // "rtb-…"
  std::vector<RouteSpec> routes;
  std::vector<RouteSpec> routes6{};  // for IPv6: internet, egress_only, interface, nowhere
};

// One entry of a network ACL: for each packet the first that matches, by number, decides, independent of other packets.
struct AclEntrySpec {
  bool egress = false;
  bool allow = false;
  std::string protocol = "-1";  // a number
  std::int64_t from_port = -1;  // ICMP: type; -1: all
  std::int64_t to_port = -1;    // ICMP: code; -1: all
  std::string cidr;             // of IPv4 or IPv6: for packets of that family only
};

struct AclSpec {
  std::string id;                     // "acl-…"
  std::vector<AclEntrySpec> entries;  // by number; packets that match none are dropped
};

struct SubnetSpec {
  std::string cidr;
  std::string route_table_id{};  // one of the VPC's tables; empty: only the VPC itself is reached
  std::string acl_id{};          // one of the VPC's ACLs; empty: everything passes
  std::string cidr6{};           // a /64; empty: no IPv6 here
};

// Translates outgoing packets to its own public address, ports included; nobody can begin a connection through it from outside.
struct NatSpec {
  std::string id;  // "nat-…"
  std::string public_ip;
};

// A customer's own network, reached by IPsec tunnels. One of them at a time carries packets; routes decide which packets go there.
struct VpnSpec {
  struct Tunnel {
    std::string outside_ip;  // our address, from the pool
    std::string psk;         // a secret
  };
  std::string id;           // "vpn-…"
  std::string customer_ip;  // the customer's end
  std::string local_cidr;   // what may pass: addresses on the customer's side
  std::string remote_cidr;  // and on the VPC's side
  std::vector<Tunnel> tunnels;
};

struct TunnelState {
  std::string vpn_id;
  std::string outside_ip;
  bool up = false;
  std::int64_t seconds = 0;  // since when
};

// What DHCP tells guests besides their address.
struct DhcpSpec {
  bool is_own = true;                     // EC2's own set: the VPC's domain, and its name server at base + 2. Else exactly what follows
  std::string domain;                     // or several, separated by blanks: the domains to search
  std::vector<std::string> name_servers;  // of IPv4 and IPv6
  std::vector<std::string> time_servers;
  std::vector<std::string> netbios_name_servers;
  std::string netbios_node_type;
};

// A private address and the public one mapped to it outside (empty: none).
struct AddressSpec {
  std::string private_ip;
  std::string public_ip{};
};

// A link to another VPC of this host: for packets between addresses of the two and no others.
struct PeeringSpec {
  std::string id;  // "pcx-…"
  std::string peer_vpc_id;
  std::vector<std::string> peer_cidrs;
  std::vector<AddressSpec> names{};  // over there: for this VPC's guests the public name resolves to the private address
};

// A group of a peer VPC that a rule of this one names.
struct PeerGroupSpec {
  std::string id;                      // "sg-…"
  std::vector<std::string> addresses;  // of its members
  std::string peering_id{};            // the peering over which they come: another peer may have the same addresses
};

// Names of public addresses. Outside, "ec2-198-18-5-7.<domain>" is 198.18.5.7; inside a VPC it is the private address of the VPC's
// interface that has it, or of a peer's that shows it.
struct NamesSpec {
  std::string public_domain;                   // "compute-1.amazonaws.com"; empty: they have none
  std::map<std::string, std::string> reverse;  // address → the name that its reverse record has instead
};

struct VpcSpec {
  std::string id;                   // "vpc-…"
  std::string cidr;                 // "172.31.0.0/16": the router is .1 of each subnet, DNS is base + 2
  std::vector<SubnetSpec> subnets;  // each within `cidr` or one of `more_cidrs`
  std::string domain;               // "ec2.internal"
  std::vector<std::string> more_cidrs{};
  bool internet_gateway = false;  // without one, public addresses are not reachable
  bool dns = true;                // base + 2 answers
  std::vector<RouteTableSpec> route_tables{};
  std::vector<AclSpec> acls{};
  std::vector<NatSpec> nats{};
  std::vector<VpnSpec> vpns{};
  DhcpSpec dhcp{};
  std::vector<PeeringSpec> peerings{};
  std::vector<PeerGroupSpec> peer_groups{};
  NamesSpec names{};
  bool names_public_addresses = true;  // names of its own interfaces; false: for its guests these are addresses like any other
  std::vector<std::string> cidrs6{};   // from the installation's IPv6 pool; none: every IPv6 packet is dropped
  bool flow_logs = false;              // count what passes and what is refused, for take_flows
};

struct InterfaceSpec {
  std::string id;  // "eni-…"
  std::string vpc_id;
  std::string subnet_cidr;
  std::string mac;
  std::string private_ip;
  std::string public_ip;  // empty: none
  std::vector<std::string> group_ids;
  std::string host_name;  // "ip-172-31-0-5": told by DHCP and DNS
  bool source_dest_check = true;
  unsigned user = 0;                // the machine's user number, which owns the tap
  std::vector<AddressSpec> more{};  // addresses besides private_ip, which the guest sets up by itself
  std::vector<std::string> ipv6{};  // DHCP tells the first one; the guest sets up the others by itself
};

struct Permission {
  std::string protocol;         // "tcp", "udp", "icmp", "icmpv6", "-1", or a number
  std::int64_t from_port = -1;  // ICMP: type; -1: all
  std::int64_t to_port = -1;    // ICMP: code; -1: all
  std::string cidr;             // IPv4 or IPv6 peer; empty if a group is the peer
  std::string group_id;         // peer group: all interfaces in it; one of a peer VPC is in VpcSpec::peer_groups
};

struct GroupSpec {
  std::string id;  // "sg-…"
  std::string vpc_id;
  std::vector<Permission> ingress;
  std::vector<Permission> egress;
};

struct FlowAddresses {
  std::uint32_t source = 0;
  std::uint32_t destination = 0;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint8_t protocol = 0;
  auto operator<=>(const FlowAddresses&) const = default;
};

// What passed an interface in one direction, or was refused there by its groups or its subnet's ACL. The addresses are those in the
// packets as its guest sees them.
struct FlowRecord {
  std::string interface_id;
  FlowAddresses addresses;
  bool egress = false;
  bool accepted = false;
  // Negative: this much was reported as accepted before and was refused after all.
  std::int64_t packets = 0;
  std::int64_t bytes = 0;
};

struct TakenFlows {
  std::vector<FlowRecord> flows;
  bool complete = true;  // false: something was not counted
};

// Threads: all functions may be called from any thread; the caller makes calls for one VPC one after another.
class NetworkEngine {
 public:
  virtual ~NetworkEngine() = default;

  // Ranges of public addresses of this installation, for the state to hand out from: "198.18.5.0/24", separated by commas.
  virtual std::string public_pool() const = 0;
  // Addresses in them that are in use already (this host's, its routers'): never handed out.
  virtual std::vector<std::string> kept_addresses() const = 0;
  // Ranges that VPCs' IPv6 ranges are taken from: "fd6e:1c00:2::/48", separated by commas. Empty: this host has no IPv6. The last /56 of
  // the last range is the host's own, for speaking to guests.
  virtual std::string ipv6_pool() const = 0;

  // Makes namespace, link to the host, base rules, routes, ACLs, NAT gateways, peerings, DHCP and DNS. Call again after a change of any of
  // these. Both VPCs of a peering must be told; packets pass as soon as both are there.
  virtual Result<void> ensure_vpc(const VpcSpec& vpc) = 0;
  virtual Result<void> remove_vpc(const std::string& vpc_id) = 0;

  // Makes tap, route, anti-spoofing, lease, address translation, group membership, name. Call again after a change of any of these.
  virtual Result<void> ensure_interface(const InterfaceSpec& interface) = 0;
  // Frees everything that ensure_interface made. Succeeds also if the interface is not there.
  virtual Result<void> remove_interface(const std::string& vpc_id, const std::string& interface_id) = 0;
  // Opens the tap's queue for a machine about to start (with IFF_VNET_HDR). The interface must exist.
  virtual Result<Descriptor> open_tap(const std::string& vpc_id, const std::string& interface_id) = 0;

  // Replaces the group's rules in one atomic step; established connections that no rule allows any more end. Never fails because the group
  // exists.
  virtual Result<void> ensure_group(const GroupSpec& group) = 0;
  virtual Result<void> remove_group(const std::string& vpc_id, const std::string& group_id) = 0;

  // Whether the VPC's tunnels are up now. A VPC without a network on this host has none that are.
  virtual Result<std::vector<TunnelState>> tunnels(const std::string& vpc_id) = 0;
  // Why there can be no tunnels; empty: there can.
  virtual std::string why_no_tunnels() const = 0;

  // The host's own access to these names: from now on the resolver below answers with them, and asks the host's resolvers for others.
  virtual Result<void> ensure_names(const NamesSpec& names) = 0;
  // The address on the host where it can be asked: "127.66.18.52"; empty: none.
  virtual std::string resolver() const = 0;

  // What is on the host with this installation's mark: interface ids by VPC. For comparing with what is wanted after a restart.
  struct Found {
    std::string vpc_id;
    std::vector<std::string> interface_ids;
  };
  virtual Result<std::vector<Found>> found() = 0;

  // A listening socket on 169.254.169.254:80 inside the VPC's namespace, for the metadata service.
  virtual Result<Descriptor> listen_metadata(const std::string& vpc_id) = 0;

  // What flowed in a VPC with flow_logs since the last call, except the services that every guest gets (DHCP, DNS, metadata). Nothing for a
  // VPC without a network here.
  virtual Result<TakenFlows> take_flows(const std::string& vpc_id) = 0;

  // The callback is called from now on, by a thread of the engine's own, if somebody else has changed what was made for the VPC (flushed
  // its packet filter, removed its namespace's name): ensure_vpc restores it. Empty: nobody is told. When this returns, the previous
  // callback is not running.
  virtual void on_disturbance(std::function<void(const std::string& vpc_id)> tell) = 0;

  // Whole restart or repair: the VPC gets these groups and interfaces and no others, in as few steps as possible (1,000 in seconds).
  virtual Result<void> ensure_all(const VpcSpec& vpc, const std::vector<GroupSpec>& groups,
                                  const std::vector<InterfaceSpec>& interfaces) = 0;

  // Removes everything with this installation's mark from the host: `brume down`, tests.
  virtual Result<void> remove_everything() = 0;
  // Whether there was anything with the mark when this was opened. If not, everything there is now was made by this process.
  virtual bool was_on_host() const { return true; }
};

struct HostNetworkConfiguration {
  std::string folder;       // "<home>/network": dnsmasq's files, the mark, the chosen pool
  std::string public_pool;  // ranges separated by commas; empty: a /24 of 198.18.0.0/15 that nothing on the host uses, chosen once and kept
  std::string region;       // "us-east-1"
  std::string uplink{};     // link that answers for the pool's addresses in use (proxy ARP), "eth0"; empty: they are routed to this host
  std::string resolver{};   // loopback address on which to answer the host's DNS questions; empty: derived from the mark; "none"
  std::string ipv6_pool{};  // ranges separated by commas; empty: a /48 of fd00::/8 (RFC 4193), made once and kept; "none"
};
Result<std::unique_ptr<NetworkEngine>> make_host_network_engine(const HostNetworkConfiguration& configuration);
// For an installation without a daemon: takes everything that carries its mark off the host. False: there was nothing.
Result<bool> remove_host_network(const HostNetworkConfiguration& configuration);
std::unique_ptr<NetworkEngine> make_simulated_network_engine(const std::string& public_pool,
                                                             const std::string& ipv6_pool = "2001:db8::/40");

}  // namespace brume::network
