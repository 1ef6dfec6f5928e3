// What kinds of record there are, and how their keys are formed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace brume::state {

// The place of each kind in a World. New kinds go at the end; the number is never stored.
enum class Kind : std::uint8_t {
  account,
  access_key,
  key_pair,
  security_group,
  vpc,
  subnet,
  network_interface,
  image,
  snapshot,
  volume,
  instance,
  user_data,
  tag_set,
  client_token,
  dependents,
  setting,
  volume_modification,
  image_defaults,
  placement_group,
  launch_template,
  launch_template_version,
  storage_defaults,
  elastic_ip,
  internet_gateway,
  route_table,
  network_acl,
  dhcp_options,
  nat_gateway,
  prefix_list,
  root_replacement,
  vpc_peering,
  vpc_endpoint,
  flow_log,
  customer_gateway,
  vpn_gateway,
  vpn_connection,
  egress_only_gateway,
  host,
  instance_change,
  count
};

inline std::string owned_key(std::string_view account, std::string_view id) {
  std::string key;
  key.reserve(account.size() + 1 + id.size());
  return key.append(account).append(1, '/').append(id);
}

}  // namespace brume::state
