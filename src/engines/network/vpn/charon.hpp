// The VPC's end of its VPN connections: one strongSwan (charon) per VPC that has any, in the VPC's namespace. It outlives the daemon.
// What it decrypts comes out of a tun device, "ipsec0": strongSwan's own IPsec in userspace, which needs no help of the kernel.
//
//   <folder>/charon/strongswan.conf   swanctl.conf (0600, pre-shared keys)   vici   process   log
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "engines/network/network_engine.hpp"

namespace brume::network {

inline constexpr std::string_view tunnel_link = "ipsec0";

// Pure; golden files in tests/golden/network.
std::string charon_settings(const std::string& folder);
std::string charon_connections(const std::vector<VpnSpec>& vpns);
// Parsed from `swanctl --list-sas --raw`. A tunnel is up if packets can pass it.
std::vector<TunnelState> read_tunnels(std::string_view listing, const std::vector<VpnSpec>& vpns);
// Why this host cannot have tunnels; empty: it can.
std::string why_no_tunnels();

// Threads: one at a time.
class Charon {
 public:
  Charon(const std::string& folder, std::string network_namespace)
      : folder_(folder + "/charon"), namespace_(std::move(network_namespace)) {}

  // Makes it run with these connections, or ends it if there are none. Waits until it listens.
  Result<void> ensure(const std::vector<VpnSpec>& vpns);
  Result<std::vector<TunnelState>> tunnels(const std::vector<VpnSpec>& vpns) const;
  void stop();

 private:
  std::optional<int> process() const;
  Result<void> start();
  void end();
  Result<std::string> ask(const std::vector<std::string>& question) const;
  // `wanted`: the connections as its configuration; tunnels of other connections end.
  Result<void> tell(const std::vector<VpnSpec>& vpns, const std::string& wanted) const;
  Result<void> end_forgotten(const std::vector<VpnSpec>& vpns) const;

  std::string folder_;
  std::string namespace_;
};

}  // namespace brume::network
