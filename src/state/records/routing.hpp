// What decides where a VPC's packets may go: gateways, route tables, network ACLs, prefix lists; and what DHCP tells its guests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "state/records/kind.hpp"
#include "state/records/states.hpp"

namespace brume::state {

struct InternetGateway {
  static constexpr Kind kind = Kind::internet_gateway;
  std::string account;
  std::string id;      // "igw-…"
  std::string vpc_id;  // empty: not attached
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("vpcId", vpc_id);
  }
};

// A VPC's way out for IPv6 that lets nobody in. It belongs to one VPC as long as it exists.
struct EgressOnlyGateway {
  static constexpr Kind kind = Kind::egress_only_gateway;
  std::string account;
  std::string id;  // "eigw-…"
  std::string vpc_id;
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("vpcId", vpc_id);
  }
};

// Exactly one of the targets is set. The route to the VPC's own ranges is not stored: it always exists.
struct RouteEntry {
  std::string cidr;            // destination; or
  std::string prefix_list_id;  // everything in the list
  std::string gateway_id;      // "igw-…"
  std::string interface_id;
  std::string nat_gateway_id;
  std::string peering_id;  // "pcx-…"
  std::string origin = "CreateRoute";
  std::string cidr6;           // destination instead of `cidr`
  std::string egress_only_id;  // "eigw-…"
  template <class V>
  void fields(V& v) {
    v("cidr", cidr);
    v("prefixListId", prefix_list_id);
    v("gatewayId", gateway_id);
    v("interfaceId", interface_id);
    v("natGatewayId", nat_gateway_id);
    v("peeringId", peering_id);
    v("origin", origin);
    v("cidr6", cidr6);
    v("egressOnlyId", egress_only_id);
  }
};

// Binds a subnet to a route table or to a network ACL.
struct SubnetAssociation {
  std::string id;         // "rtbassoc-…", "aclassoc-…"
  std::string subnet_id;  // empty: the main route table's, for every subnet without one of its own
  template <class V>
  void fields(V& v) {
    v("id", id);
    v("subnetId", subnet_id);
  }
};

struct RouteTable {
  static constexpr Kind kind = Kind::route_table;
  std::string account;
  std::string id;  // "rtb-…"
  std::string vpc_id;
  std::vector<RouteEntry> routes;
  std::vector<SubnetAssociation> associations;
  std::vector<std::string> propagating_gateways;  // "vgw-…", whose connections' routes this table has too
  bool is_main() const {
    for (const auto& one : associations)
      if (one.subnet_id.empty()) return true;
    return false;
  }
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("vpcId", vpc_id);
    v("routes", routes);
    v("associations", associations);
    v("propagatingGateways", propagating_gateways);
  }
};

struct AclEntry {
  std::int64_t number = 100;
  bool egress = false;
  bool allow = false;
  std::string protocol = "-1";  // a number
  std::string cidr;
  std::int64_t from = -1;  // ports; ICMP: type; -1: all
  std::int64_t to = -1;    // ports; ICMP: code; -1: all
  std::string cidr6;       // instead of `cidr`
  template <class V>
  void fields(V& v) {
    v("number", number);
    v("egress", egress);
    v("allow", allow);
    v("protocol", protocol);
    v("cidr", cidr);
    v("from", from);
    v("to", to);
    v("cidr6", cidr6);
  }
};

struct NetworkAcl {
  static constexpr Kind kind = Kind::network_acl;
  std::string account;
  std::string id;  // "acl-…"
  std::string vpc_id;
  bool is_default = false;
  std::vector<AclEntry> entries;  // by direction and number, without the last one, which denies everything
  std::vector<SubnetAssociation> associations;
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("vpcId", vpc_id);
    v("default", is_default);
    v("entries", entries);
    v("associations", associations);
  }
};

struct DhcpOption {
  std::string name;  // "domain-name-servers"
  std::vector<std::string> values;
  template <class V>
  void fields(V& v) {
    v("name", name);
    v("values", values);
  }
};

struct DhcpOptions {
  static constexpr Kind kind = Kind::dhcp_options;
  std::string account;
  std::string id;  // "dopt-…"
  std::vector<DhcpOption> options;
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("options", options);
  }
};

struct NatGateway {
  static constexpr Kind kind = Kind::nat_gateway;
  std::string account;
  std::string id;  // "nat-…"
  std::string vpc_id;
  std::string subnet_id;
  std::string interface_id;  // its own, which belongs to no instance
  std::string private_ip;
  std::string allocation_id;
  std::string public_ip;
  NatState state = NatState::available;
  Time created{};
  Time deleted{};               // when it was deleted, or when it failed
  std::string failure_code;     // "Gateway.NotAttached"
  std::string failure_message;  // for people
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("vpcId", vpc_id);
    v("subnetId", subnet_id);
    v("interfaceId", interface_id);
    v("privateIp", private_ip);
    v("allocationId", allocation_id);
    v("publicIp", public_ip);
    v("state", state);
    v("created", created);
    v("deleted", deleted);
    v("failureCode", failure_code);
    v("failureMessage", failure_message);
  }
};

struct PrefixListEntry {
  std::string cidr;
  std::string description;
  template <class V>
  void fields(V& v) {
    v("cidr", cidr);
    v("description", description);
  }
};

struct PrefixListVersion {
  std::int64_t number = 1;
  std::vector<PrefixListEntry> entries;
  template <class V>
  void fields(V& v) {
    v("number", number);
    v("entries", entries);
  }
};

struct PrefixList {
  static constexpr Kind kind = Kind::prefix_list;
  std::string account;
  std::string id;  // "pl-…"
  std::string name;
  std::int64_t version = 1;
  std::int64_t max_entries = 1;
  std::vector<PrefixListEntry> entries;    // by CIDR
  std::vector<PrefixListVersion> earlier;  // the oldest first
  PrefixListState state = PrefixListState::create_complete;
  std::string state_message;
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("name", name);
    v("version", version);
    v("maxEntries", max_entries);
    v("entries", entries);
    v("earlier", earlier);
    v("state", state);
    v("stateMessage", state_message);
  }
};

}  // namespace brume::state
