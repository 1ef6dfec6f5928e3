// Networks: VPCs, subnets, interfaces, security groups.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "state/records/kind.hpp"

namespace brume::state {

// One permission: one protocol and port range for one peer.
struct SecurityRule {
  std::string id;               // "sgr-…"
  std::string protocol;         // "tcp", "udp", "icmp", "icmpv6", "-1" (all), or a number
  std::int64_t from_port = -1;  // ICMP: type; -1: all
  std::int64_t to_port = -1;    // ICMP: code; -1: all
  std::string cidr;             // IPv4 peer; one of cidr, cidr6, group_id is set
  std::string cidr6;
  std::string group_account;  // peer group
  std::string group_id;
  std::string description;
  template <class V>
  void fields(V& v) {
    v("id", id);
    v("protocol", protocol);
    v("from", from_port);
    v("to", to_port);
    v("cidr", cidr);
    v("cidr6", cidr6);
    v("groupAccount", group_account);
    v("groupId", group_id);
    v("description", description);
  }
  // The same permission, whatever its id and description.
  bool same_permission(const SecurityRule& other) const {
    return protocol == other.protocol && from_port == other.from_port && to_port == other.to_port && cidr == other.cidr &&
           cidr6 == other.cidr6 && group_account == other.group_account && group_id == other.group_id;
  }
};

struct SecurityGroup {
  static constexpr Kind kind = Kind::security_group;
  std::string account;
  std::string id;  // "sg-…"
  std::string name;
  std::string description;
  std::string vpc_id;
  std::vector<SecurityRule> ingress;
  std::vector<SecurityRule> egress;
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("name", name);
    v("description", description);
    v("vpcId", vpc_id);
    v("ingress", ingress);
    v("egress", egress);
  }
};

struct Vpc {
  static constexpr Kind kind = Kind::vpc;
  std::string account;
  std::string id;
  std::string cidr;  // "172.31.0.0/16"
  bool is_default = false;
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("cidr", cidr);
    v("default", is_default);
  }
};

struct Subnet {
  static constexpr Kind kind = Kind::subnet;
  std::string account;
  std::string id;
  std::string vpc_id;
  std::string cidr;
  std::string zone;  // "us-east-1a"
  bool is_default = false;
  bool gives_public_address = false;
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("vpcId", vpc_id);
    v("cidr", cidr);
    v("zone", zone);
    v("default", is_default);
    v("public", gives_public_address);
  }
};

struct NetworkInterface {
  static constexpr Kind kind = Kind::network_interface;
  std::string account;
  std::string id;  // "eni-…"
  std::string vpc_id;
  std::string subnet_id;
  std::string zone;
  std::string description;
  std::string mac;  // "02:…", unique within the VPC
  std::string private_ip;
  std::string public_ip;  // empty: none now
  std::vector<std::string> group_ids;
  bool source_dest_check = true;
  std::string instance_id;    // empty: attached to nothing
  std::string attachment_id;  // "eni-attach-…"
  std::int64_t device_index = 0;
  bool delete_on_termination = true;
  Time attached{};
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("vpcId", vpc_id);
    v("subnetId", subnet_id);
    v("zone", zone);
    v("description", description);
    v("mac", mac);
    v("privateIp", private_ip);
    v("publicIp", public_ip);
    v("groupIds", group_ids);
    v("sourceDestCheck", source_dest_check);
    v("instanceId", instance_id);
    v("attachmentId", attachment_id);
    v("deviceIndex", device_index);
    v("deleteOnTermination", delete_on_termination);
    v("attached", attached);
  }
};

}  // namespace brume::state
