// Networks: VPCs, subnets, interfaces, Elastic IPs, security groups. What leads packets between them is in records/routing.hpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "state/records/kind.hpp"
#include "state/records/states.hpp"

namespace brume::state {

// One permission: one protocol and port range for one peer.
struct SecurityRule {
  std::string id;               // "sgr-…"
  std::string protocol;         // "tcp", "udp", "icmp", "icmpv6", "-1" (all), or a number
  std::int64_t from_port = -1;  // ICMP: type; -1: all
  std::int64_t to_port = -1;    // ICMP: code; -1: all
  std::string cidr;             // IPv4 peer; one of cidr, cidr6, group_id, prefix_list_id is set
  std::string cidr6;
  std::string group_account;  // peer group
  std::string group_id;
  std::string prefix_list_id;
  std::string description;
  std::string peering_id;    // "pcx-…", for a peer group in another VPC; it may be gone by now
  std::string group_vpc_id;  // that VPC
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
    v("prefixListId", prefix_list_id);
    v("description", description);
    v("peeringId", peering_id);
    v("groupVpcId", group_vpc_id);
  }
  // The same permission, whatever its id and description.
  bool same_permission(const SecurityRule& other) const {
    return protocol == other.protocol && from_port == other.from_port && to_port == other.to_port && cidr == other.cidr &&
           cidr6 == other.cidr6 && group_account == other.group_account && group_id == other.group_id &&
           prefix_list_id == other.prefix_list_id;
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

// A further range of a VPC, or one of IPv6.
struct VpcRange {
  std::string association_id;  // "vpc-cidr-assoc-…"
  std::string cidr;
  template <class V>
  void fields(V& v) {
    v("associationId", association_id);
    v("cidr", cidr);
  }
};

struct Vpc {
  static constexpr Kind kind = Kind::vpc;
  std::string account;
  std::string id;
  std::string cidr;  // "172.31.0.0/16"
  bool is_default = false;
  std::vector<VpcRange> more;       // besides `cidr`
  bool dns_support = true;          // its guests get DNS answers at base + 2
  bool dns_hostnames = true;        // public addresses have names; off in a VPC made by CreateVpc
  std::string dhcp_options_id;      // "dopt-…"; empty: EC2's own, which is called "default"
  std::vector<VpcRange> ipv6;       // "2001:db8:1200::/56"
  std::string tenancy = "default";  // "dedicated": so are all its instances
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("cidr", cidr);
    v("default", is_default);
    v("more", more);
    v("dnsSupport", dns_support);
    v("dnsHostnames", dns_hostnames);
    v("dhcpOptionsId", dhcp_options_id);
    v("ipv6", ipv6);
    v("tenancy", tenancy);
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
  std::string ipv6_association_id;  // "subnet-cidr-assoc-…"
  std::string ipv6_cidr;            // "2001:db8:1200:1::/64"; empty: it has no IPv6
  bool gives_ipv6_address = false;  // to each new interface
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
    v("ipv6AssociationId", ipv6_association_id);
    v("ipv6Cidr", ipv6_cidr);
    v("givesIpv6", gives_ipv6_address);
  }
};

// A further private address of an interface, with the Elastic IP mapped to it outside.
struct SecondaryAddress {
  std::string private_ip;
  std::string public_ip;  // empty: none
  template <class V>
  void fields(V& v) {
    v("privateIp", private_ip);
    v("publicIp", public_ip);
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
  std::string public_ip;  // empty: none now; an Elastic IP or one of the pool
  std::vector<SecondaryAddress> secondary;
  std::vector<std::string> group_ids;
  bool source_dest_check = true;
  std::string instance_id;    // empty: not attached
  std::string attachment_id;  // "eni-attach-…"
  std::int64_t device_index = 0;
  bool delete_on_termination = true;
  Time attached{};
  AttachmentState attachment_state = AttachmentState::attached;  // means nothing while attached to nothing
  bool detach_forced = false;                                    // take it away even if the guest does not release it
  bool wants_public_address = true;                              // it gets one when its instance starts, if its subnet gives them too
  std::string requester_id;                                      // the service that made it for the account; empty: the account itself
  std::string type = "interface";                                // or "natGateway"
  std::vector<std::string> ipv6;                                 // in the form of RFC 5952; DHCP tells the first one
  // Made by another service for the account (such as a NAT gateway's): the account cannot change it itself.
  bool is_managed() const { return !requester_id.empty(); }
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
    v("secondary", secondary);
    v("attachmentState", attachment_state);
    v("detachForced", detach_forced);
    v("wantsPublicAddress", wants_public_address);
    v("requesterId", requester_id);
    v("type", type);
    v("ipv6", ipv6);
  }
};

// An Elastic IP address (NET-036): the account's until it is released, whatever happens to instances.
struct ElasticIp {
  static constexpr Kind kind = Kind::elastic_ip;
  std::string account;
  std::string allocation_id;  // "eipalloc-…"; clients of 2011 do not see it on domain "standard"
  std::string public_ip;
  std::string domain = "vpc";  // or "standard"
  std::string association_id;  // "eipassoc-…"; empty: not associated now
  std::string interface_id;
  std::string private_ip;   // of the interface
  bool moved = false;       // of domain "vpc", and was "standard" before: it may go back
  std::string domain_name;  // the name in the address's reverse record ("mail.example.com"); empty: the name that every address has
  std::string key() const { return owned_key(account, allocation_id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("allocationId", allocation_id);
    v("publicIp", public_ip);
    v("domain", domain);
    v("associationId", association_id);
    v("interfaceId", interface_id);
    v("privateIp", private_ip);
    v("moved", moved);
    v("domainName", domain_name);
  }
};

}  // namespace brume::state
