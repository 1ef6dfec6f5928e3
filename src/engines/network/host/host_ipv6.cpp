// IPv6 on the host itself: the pool that VPCs' ranges are taken from, and the route to each VPC.
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <span>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "base/text.hpp"
#include "engines/host/namespaces.hpp"
#include "engines/network/host/host.hpp"
#include "engines/network/names/names.hpp"

namespace brume::network {
namespace {

constexpr int vpc_prefix = 56;
constexpr std::string_view options = "/proc/sys/net/ipv6/conf";

// RFC 4193: 40 random bits make it unique.
std::string random_pool() {
  SystemRandom random;
  Ipv6Block pool{{}, 48};
  random.fill(std::span(pool.base.bytes).first(6));
  pool.base.bytes[0] = 0xFD;
  return format_ipv6_block(pool);
}

// From the last /56 of the pool, which no VPC gets. A host need not have another address that guests could answer to.
Ipv6Address own_address(const std::vector<std::string>& pools) {
  const auto last = *parse_ipv6_block(pools.back());
  const auto range = ipv6_part(last, vpc_prefix, (std::uint64_t{1} << (vpc_prefix - last.prefix)) - 1);
  return ipv6_host(range, 1);
}

std::string option_of(const std::string& link, std::string_view name) { return fmt::format("ipv6/conf/{}/{}", link, name); }

// A host that forwards ignores routers' advertisements unless told otherwise, so links that listen to them now are told to continue.
void keep_listening_to_routers() {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(options, ignored)) {
    const auto link = entry.path().filename().string();
    if (link == "all" || link == "default" || link == "lo" || link.starts_with(link_prefix)) continue;
    const auto now = read_file((entry.path() / "accept_ra").string(), 16);
    if (!now || trim(*now) != "1") continue;
    if (auto set = host::set_network_option(option_of(link, "accept_ra"), "2"); !set)
      log::warning("network", "{} may stop listening to its router's IPv6 advertisements: {}", link, set.error().message);
  }
}

Result<void> forward_ipv6() {
  const auto forwarding = read_file(std::string(options) + "/all/forwarding", 16);
  if (forwarding && trim(*forwarding) == "1") return {};
  keep_listening_to_routers();
  if (auto set = host::set_network_option("ipv6/conf/all/forwarding", "1"); !set) return set;
  log::warning("network",
               "net.ipv6.conf.all.forwarding of the host was off and is on now: guests need it to reach other networks. Links that "
               "accepted router advertisements still do (accept_ra=2)");
  return {};
}

}  // namespace

Result<void> Host::set_pools6(const std::string& ranges, const std::string& origin) {
  const auto blocks = parse_ipv6_blocks(ranges);
  if (!blocks || blocks->empty()) return fail(ErrorKind::invalid, origin + " \"" + ranges + "\" is not a range of IPv6 addresses");
  for (const auto& block : *blocks) {
    const auto text = format_ipv6_block(block);
    if (block.prefix < 16 || block.prefix >= vpc_prefix)
      return fail(ErrorKind::invalid,
                  fmt::format("{} {} is not between a /16 and a /{}: a VPC gets a /{}", origin, text, vpc_prefix - 1, vpc_prefix));
    for (const auto& other : pools6_)
      if (overlap(block, *parse_ipv6_block(other))) return fail(ErrorKind::invalid, fmt::format("{} {} is given twice", origin, text));
    pools6_.push_back(text);
  }
  return {};
}

Result<void> Host::choose_pools6(const std::string& configured) {
  if (configured == "none") return {};
  if (!path_exists(std::string(options))) {
    if (!configured.empty()) return fail(ErrorKind::refused, "this host has no IPv6, so there is nothing that --ipv6-pool could be for");
    return {};
  }
  const auto path = folder_ + "/pool6";
  auto chosen = configured;
  if (chosen.empty()) {
    if (const auto kept = read_file(path, 64)) {
      chosen = trim(*kept);
    } else {
      chosen = random_pool();
      if (auto written = write_file(path, chosen + "\n", 0644); !written) return written;
      log::info("network", "VPCs' IPv6 ranges come from {}", chosen);
    }
  }
  if (auto set = set_pools6(chosen, configured.empty() ? path : "IPv6 pool"); !set) return set;
  if (auto reserved = reserve<Ipv6>(pools6_, "IPv6 pool"); !reserved) return reserved;
  // If all links of a host are without IPv6, there may be no place for such a route; then nothing can be routed there either.
  if (auto done = routes_.commit(); !done) log::warning("network", "the IPv6 pool is not reserved: {}", done.error().message);
  return {};
}

Result<void> Host::lead_ipv6(const std::string& vpc_id, const std::vector<Ipv6Block>& ranges) {
  const std::lock_guard lock(mutex_);
  if (pools6_.empty() && ranges.empty()) return {};
  auto link = link_of(vpc_id);
  if (!link) return fail(link.error());
  auto routes = routes_.routes<Ipv6>();
  if (!routes) return fail(routes.error());
  if (!ranges.empty()) {
    if (auto set = forward_ipv6(); !set) return set;
    for (const auto& [name, value] : {std::pair("accept_ra", "0"), std::pair("accept_dad", "0"), std::pair("disable_ipv6", "0")})
      if (auto set = host::set_network_option(option_of(link->name, name), value); !set) return set;
  }
  // No return between here and commit: queued requests would be sent with somebody else's.
  for (const auto& route : *routes)
    if (route.link == link->index && route.protocol == route_protocol &&
        std::find(ranges.begin(), ranges.end(), route.destination) == ranges.end())
      routes_.remove_route(route);
  if (ranges.empty()) return routes_.commit();
  routes_.add_address(link->index, *parse_ipv6(host_end6), 64);
  routes_.add_address(link->index, own_address(pools6_), 128);
  for (const auto& range : ranges) {
    Route6 route;
    route.destination = range;
    route.link = link->index;
    route.gateway = *parse_ipv6(vpc_end6);
    routes_.put_route(route);
  }
  return routes_.commit();
}

}  // namespace brume::network
