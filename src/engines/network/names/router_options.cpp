#include "engines/network/names/router_options.hpp"

#include <array>
#include <string_view>
#include <utility>

#include "engines/host/namespaces.hpp"

namespace brume::network {

Result<void> set_router_options() {
  constexpr std::string_view events = "netfilter/nf_conntrack_events";
  constexpr std::array<std::pair<std::string_view, const char*>, 12> options = {{
      {"ipv4/ip_forward", "1"},
      {"ipv4/conf/all/rp_filter", "0"},  // the guard chain decides better who may send what
      {"ipv4/conf/default/rp_filter", "0"},
      {"ipv4/conf/all/send_redirects", "0"},
      {"ipv4/conf/default/send_redirects", "0"},
      {"ipv4/conf/all/accept_redirects", "0"},
      {"ipv4/conf/default/accept_redirects", "0"},
      {"ipv4/conf/default/proxy_arp", "1"},  // peers become known on the guest's link only through us
      {"ipv4/conf/uplink/proxy_arp", "0"},
      {"netfilter/nf_conntrack_tcp_loose", "0"},  // an ended connection does not revive with its next packet
      {"netfilter/nf_conntrack_acct", "1"},  // for flow logs; only connections that begin while these two are on are counted to their end
      {events, "1"},
  }};
  for (const auto& [name, value] : options)
    if (auto set = host::set_network_option(std::string(name), value); !set) {
      // Some kernels do not report ended connections.
      if (name == events && set.error().kind == ErrorKind::not_found) continue;
      return set;
    }
  return {};
}

}  // namespace brume::network
