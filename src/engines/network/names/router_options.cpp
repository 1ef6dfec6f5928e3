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
      {"ipv4/conf/all/rp_filter", "0"},  // the guard chain knows better who may send what
      {"ipv4/conf/default/rp_filter", "0"},
      {"ipv4/conf/all/send_redirects", "0"},
      {"ipv4/conf/default/send_redirects", "0"},
      {"ipv4/conf/all/accept_redirects", "0"},
      {"ipv4/conf/default/accept_redirects", "0"},
      {"ipv4/conf/default/proxy_arp", "1"},  // peers are on the guest's link only by our word
      {"ipv4/conf/uplink/proxy_arp", "0"},
      {"netfilter/nf_conntrack_tcp_loose", "0"},  // an ended connection does not come back by its next packet
      {"netfilter/nf_conntrack_acct", "1"},       // for flow logs; only connections that begin with these two are counted to their end
      {events, "1"},
  }};
  for (const auto& [name, value] : options)
    if (auto set = host::set_network_option(std::string(name), value); !set) {
      // Some kernels tell of no connection that ends.
      if (name == events && set.error().kind == ErrorKind::not_found) continue;
      return set;
    }
  return {};
}

}  // namespace brume::network
