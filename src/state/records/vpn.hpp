// Tunnels to a customer's own network: the customer's end, the VPC's end, and what connects them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "state/records/kind.hpp"
#include "state/records/states.hpp"

namespace brume::state {

struct CustomerGateway {
  static constexpr Kind kind = Kind::customer_gateway;
  std::string account;
  std::string id;          // "cgw-…"
  std::string ip_address;  // address of its IPsec peer
  std::int64_t asn = 65000;
  std::string device_name;
  VpnState state = VpnState::available;
  Time deleted{};
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("ipAddress", ip_address);
    v("asn", asn);
    v("deviceName", device_name);
    v("state", state);
    v("deleted", deleted);
  }
};

struct VpnGateway {
  static constexpr Kind kind = Kind::vpn_gateway;
  std::string account;
  std::string id;      // "vgw-…"
  std::string vpc_id;  // empty: not attached
  std::string zone;    // as requested; it has no effect
  std::int64_t asn = 64512;
  VpnState state = VpnState::available;
  Time deleted{};
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("vpcId", vpc_id);
    v("zone", zone);
    v("asn", asn);
    v("state", state);
    v("deleted", deleted);
  }
};

struct VpnTunnel {
  std::string outside_ip;   // from the installation's pool: the address of our end
  std::string inside_cidr;  // "169.254.10.0/30": the VPC's end has the first address, the customer's the second
  std::string psk;          // pre-shared key: a secret
  template <class V>
  void fields(V& v) {
    v("outsideIp", outside_ip);
    v("insideCidr", inside_cidr);
    v("psk", psk);
  }
};

struct VpnConnection {
  static constexpr Kind kind = Kind::vpn_connection;
  std::string account;
  std::string id;  // "vpn-…"
  std::string customer_gateway_id;
  std::string vpn_gateway_id;
  std::string local_cidr;           // the customer's side of the traffic
  std::string remote_cidr;          // the VPC's side
  std::vector<VpnTunnel> tunnels;   // two
  std::vector<std::string> routes;  // static: ranges behind the customer's gateway
  VpnState state = VpnState::available;
  Time created{};
  Time deleted{};
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("customerGatewayId", customer_gateway_id);
    v("vpnGatewayId", vpn_gateway_id);
    v("localCidr", local_cidr);
    v("remoteCidr", remote_cidr);
    v("tunnels", tunnels);
    v("routes", routes);
    v("state", state);
    v("created", created);
    v("deleted", deleted);
  }
};

}  // namespace brume::state
