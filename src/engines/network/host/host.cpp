#include "engines/network/host/host.hpp"

#include <fcntl.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <set>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "base/text.hpp"
#include "engines/host/namespaces.hpp"
#include "engines/network/host/pools.hpp"
#include "engines/network/names/names.hpp"
#include "engines/network/nft/nft_rules.hpp"

namespace brume::network {
namespace {

constexpr int largest_pool_prefix = 16;  // each address has its line in the files of name servers

bool overlap(const Ipv4Block& a, const Ipv4Block& b) { return a.contains(b.base) || b.contains(a.base); }

// True for addresses that the internet does not route (RFC 1918, 6598, 2544).
bool is_private(const Ipv4Block& range) {
  constexpr std::array<Ipv4Block, 5> known = {Ipv4Block{0x0A000000, 8}, Ipv4Block{0xAC100000, 12}, Ipv4Block{0xC0A80000, 16},
                                              Ipv4Block{0x64400000, 10}, Ipv4Block{benchmark_base, 15}};
  return std::any_of(known.begin(), known.end(), [&](const Ipv4Block& one) { return one.contains(range.base); });
}

bool is_taken(const Ipv4Block& range, const std::vector<Route>& routes, const std::vector<LinkAddress>& addresses) {
  const auto overlaps = [&](const Route& route) { return route.destination.prefix > 0 && overlap(route.destination, range); };
  const auto inside = [&](const LinkAddress& one) { return range.contains(one.address); };
  return std::any_of(routes.begin(), routes.end(), overlaps) || std::any_of(addresses.begin(), addresses.end(), inside);
}

bool has_ipv6() { return path_exists("/proc/sys/net/ipv6/conf"); }

unsigned mark_number(const std::string& mark) { return static_cast<unsigned>(std::strtoul(mark.c_str(), nullptr, 16)); }

std::uint32_t metric_of(const std::string& mark) { return 0x42000000U | mark_number(mark); }

}  // namespace

Result<std::unique_ptr<Host>> Host::open(const HostNetworkConfiguration& configuration) {
  if (auto made = make_folders(configuration.folder); !made) return fail(made.error());
  SystemRandom random;
  auto mark = load_or_make_mark(configuration.folder, random);
  if (!mark) return fail(mark.error());
  auto routes = RouteSocket::open();
  if (!routes) return fail(routes.error());
  if (!configuration.uplink.empty()) {
    auto link = routes->link(configuration.uplink);
    if (!link) return fail(link.error());
    if (!*link) return fail(ErrorKind::invalid, "this host has no link \"" + configuration.uplink + "\" that could be the uplink");
    if (configuration.public_pool.empty())
      return fail(ErrorKind::invalid, "an uplink needs a range of public addresses of the network behind it (--public-pool)");
  }
  std::unique_ptr<Host> host(new Host(*mark, configuration.folder, configuration.uplink, std::move(*routes)));
  auto found = host->look_for_mark();
  if (!found) return fail(found.error());
  host->was_on_host_ = *found;
  auto chosen = host->choose_pools(configuration.public_pool);
  if (chosen) chosen = host->choose_pools6(configuration.ipv6_pool);
  if (chosen) return host;
  if (!host->was_on_host_)
    if (auto removed = host->remove_rest(); !removed) log::warning("network", "{}", removed.error().message);
  return fail(chosen.error());
}

Result<std::unique_ptr<Host>> Host::open_to_remove(const HostNetworkConfiguration& configuration) {
  if (!path_exists(configuration.folder + "/mark")) return fail(ErrorKind::not_found, configuration.folder + " has no mark");
  SystemRandom random;
  auto mark = load_or_make_mark(configuration.folder, random);
  if (!mark) return fail(mark.error());
  auto routes = RouteSocket::open();
  if (!routes) return fail(routes.error());
  // An uplink that no longer exists answers for nothing.
  auto uplink = configuration.uplink.empty() ? std::optional<Link>() : routes->link(configuration.uplink).value_or(std::nullopt);
  std::unique_ptr<Host> host(new Host(*mark, configuration.folder, uplink ? configuration.uplink : "", std::move(*routes)));
  const auto kept = configuration.public_pool.empty() ? read_file(configuration.folder + "/pool", 64) : configuration.public_pool;
  if (kept)
    if (auto set = host->set_pools(std::string(trim(*kept)), "public pool"); !set) log::warning("network", "{}", set.error().message);
  auto found = host->look_for_mark();
  if (!found) return fail(found.error());
  host->was_on_host_ = *found;
  return host;
}

// Recognised by what outlives a daemon: namespaces, links, the routes that hold the pools, the files of processes in the namespaces.
Result<bool> Host::look_for_mark() {
  if (path_exists(runtime_folder(mark_)) || !host::list_namespaces(namespace_of("")).empty()) return true;
  auto links = routes_.links();
  if (!links) return fail(links.error());
  const auto prefix = std::string(link_prefix) + mark_;
  if (std::any_of(links->begin(), links->end(), [&](const Link& link) { return link.name.starts_with(prefix); })) return true;
  const auto holds = [&](const auto& route) { return route.protocol == route_protocol && route.metric == reservation_metric(); };
  auto routes = routes_.routes();
  auto routes6 = has_ipv6() ? routes_.routes<Ipv6>() : std::vector<Route6>();
  if (!routes || !routes6) return fail(routes ? routes6.error() : routes.error());
  return std::any_of(routes->begin(), routes->end(), holds) || std::any_of(routes6->begin(), routes6->end(), holds);
}

std::string Host::namespace_of(const std::string& vpc_id) const { return namespace_name(mark_, vpc_id); }
std::string Host::folder_of(const std::string& vpc_id) const { return folder_ + "/vpcs/" + vpc_id; }
std::string Host::runtime_folder_of(const std::string& vpc_id) const { return runtime_folder(mark_) + "/" + vpc_id; }

// --- pool ---

// The pool is held by a route that rejects addresses without owner; its metric says which installation it belongs to.
std::uint32_t Host::reservation_metric() const { return metric_of(mark_); }

Result<void> Host::set_pools(const std::string& ranges, const std::string& origin) {
  const auto blocks = parse_ipv4_blocks(ranges);
  if (!blocks || blocks->empty()) return fail(ErrorKind::invalid, origin + " \"" + ranges + "\" is not a range of IPv4 addresses");
  for (size_t i = 0; i < blocks->size(); ++i) {
    const auto text = format_ipv4_block((*blocks)[i]);
    if ((*blocks)[i].prefix < largest_pool_prefix)
      return fail(ErrorKind::invalid, fmt::format("{} {} is too large: at most a /{}", origin, text, largest_pool_prefix));
    for (size_t other = 0; other < i; ++other)
      if (overlap((*blocks)[i], (*blocks)[other])) return fail(ErrorKind::invalid, fmt::format("{} {} is given twice", origin, text));
    pools_.push_back(text);
  }
  return {};
}

Result<void> Host::choose_pools(const std::string& configured) {
  auto registry = PoolRegistry::open(pool_registry_folder);
  // It guards against what may happen later; the routes show the present.
  if (!registry) log::warning("network", "cannot record the public pool for other installations: {}", registry.error().message);
  std::vector<std::string> gone;
  const auto reservations = registry ? registry->reservations(gone) : std::vector<PoolReservation>();
  if (auto removed = remove_routes_of_gone(gone); !removed) return removed;
  const auto path = folder_ + "/pool";
  const auto kept = configured.empty() ? read_file(path, 64) : Result<std::string>(configured);
  if (kept) {
    if (auto set = set_pools(std::string(trim(*kept)), configured.empty() ? path : "public pool"); !set) return set;
  } else {
    auto range = free_pool(reservations);
    if (!range) return fail(range.error());
    pools_ = {format_ipv4_block(*range)};
    if (auto written = write_file(path, pools_.front() + "\n", 0644); !written) return written;
    log::info("network", "public addresses come from {}", pools_.front());
  }
  if (auto reserved = reserve<Ipv4>(pools_, "public pool"); !reserved) return reserved;
  if (auto done = routes_.commit(); !done) return done;
  if (!registry) return {};
  warn_of_sharing(reservations);
  return registry->keep(mark_, folder_, pools_);
}

// Belongs to a home that was deleted while its pool was held.
Result<void> Host::remove_routes_of_gone(const std::vector<std::string>& marks) {
  if (marks.empty()) return {};
  auto links = routes_.links();
  auto routes = routes_.routes();
  if (!links || !routes) return fail(links ? routes.error() : links.error());
  for (const auto& mark : marks) {
    const auto its_links = std::string(link_prefix) + mark;
    // An installation that has networks may have machines too, and is left alone.
    if (std::any_of(links->begin(), links->end(), [&](const Link& link) { return link.name.starts_with(its_links); })) continue;
    for (const auto& route : *routes)
      if (route.protocol == route_protocol && route.type == RTN_UNREACHABLE && route.metric == metric_of(mark)) routes_.remove_route(route);
  }
  return routes_.commit();
}

Result<Ipv4Block> Host::free_pool(const std::vector<PoolReservation>& reservations) {
  auto routes = routes_.routes();
  if (!routes) return fail(routes.error());
  auto addresses = routes_.addresses();
  if (!addresses) return fail(addresses.error());
  // As a last resort, ranges whose owner has perhaps gone.
  for (const bool only_certain : {false, true})
    for (const auto& range : pool_candidates(mark_)) {
      const auto is_reserved = [&](const PoolReservation& one) {
        return one.mark != mark_ && (one.is_certain || !only_certain) &&
               std::any_of(one.ranges.begin(), one.ranges.end(), [&](const Ipv4Block& theirs) { return overlap(theirs, range); });
      };
      if (std::none_of(reservations.begin(), reservations.end(), is_reserved) && !is_taken(range, *routes, *addresses)) return range;
    }
  return fail(
      ErrorKind::exhausted,
      fmt::format("the host uses all of 198.18.0.0/15 already, or other homes have it (in {}): set a range for public addresses with "
                  "--public-pool",
                  pool_registry_folder));
}

// A range that was configured, or that was held before there was a registry, may be used although another installation that is not running
// has it too.
void Host::warn_of_sharing(const std::vector<PoolReservation>& reservations) const {
  for (const auto& other : reservations)
    for (const auto& theirs : other.ranges)
      for (const auto& pool : pools_)
        if (other.mark != mark_ && other.is_certain && overlap(theirs, *parse_ipv4_block(pool)))
          log::warning("network", "the public pool {} also belongs to the Brume in {}, which is not running: only one of the two can run",
                       pool, other.home);
}

// Who holds the pool that is in our way, and what to do.
Error Host::pool_conflict(std::string_view what, const std::string& range, std::uint32_t metric) {
  const auto mark = fmt::format("{:06x}", metric & 0xFFFFFFU);
  const auto home = PoolRegistry::home_of(pool_registry_folder, mark);
  const auto whose = home.empty() ? "another Brume of this host, whose network/mark is " + mark : "the Brume in " + home;
  const auto end = home.empty() ? std::string("'brume down' there") : "'brume --home " + home + " down'";
  return {
      ErrorKind::refused,
      fmt::format("{} {} is in use by {}. End that one ({}), or give one of the two another range: --public-pool, or --ipv6-pool, in its "
                  "brumed.conf. Then the instances of that one have other public addresses",
                  what, range, whose, end)};
}

template <class Family>
Result<void> Host::reserve(const std::vector<std::string>& pools, std::string_view what) {
  auto routes = routes_.routes<Family>();
  if (!routes) return fail(routes.error());
  std::set<std::string> missing(pools.begin(), pools.end());
  for (const auto& route : *routes) {
    if (route.protocol != route_protocol || route.type != RTN_UNREACHABLE || route.table != 0) continue;
    const auto range = Family::format(route.destination);
    if (route.metric == reservation_metric()) {
      if (missing.erase(range) == 0) routes_.remove_route(route);
    } else if (std::any_of(pools.begin(), pools.end(),
                           [&](const std::string& pool) { return overlap(*Family::parse_block(pool), route.destination); })) {
      return fail(pool_conflict(what, range, route.metric));
    }
  }
  for (const auto& range : missing) {
    RouteOf<Family> route;
    route.destination = *Family::parse_block(range);
    route.metric = reservation_metric();
    route.type = RTN_UNREACHABLE;
    routes_.put_route(route);
  }
  return {};
}
template Result<void> Host::reserve<Ipv6>(const std::vector<std::string>&, std::string_view);

template <class Family>
Result<void> Host::release() {
  auto known = routes_.routes<Family>();
  if (!known) return fail(known.error());
  for (const auto& route : *known)
    if (route.protocol == route_protocol && route.metric == reservation_metric()) routes_.remove_route(route);
  return {};
}

bool Host::is_public(std::uint32_t address) const {
  return std::any_of(pools_.begin(), pools_.end(), [&](const std::string& pool) { return parse_ipv4_block(pool)->contains(address); });
}

std::vector<std::string> Host::kept_addresses() {
  const std::lock_guard lock(mutex_);
  std::set<std::uint32_t> kept;
  if (const auto addresses = routes_.addresses())
    for (const auto& one : *addresses) kept.insert(one.address);
  if (const auto routes = routes_.routes())
    for (const auto& route : *routes)
      if (route.gateway != 0) kept.insert(route.gateway);
  std::vector<std::string> inside;
  for (const auto address : kept)
    if (is_public(address)) inside.push_back(format_ipv4(address));
  return inside;
}

// --- table and forwarding ---

std::string Host::table() const { return host_table(mark_); }

bool Host::is_ours(const std::set<std::uint32_t>& generations) {
  const std::lock_guard lock(mutex_);
  return nft_.is_ours(generations);
}

std::vector<Table> Host::tables() const {
  std::vector<std::string> masqueraded;
  std::copy_if(pools_.begin(), pools_.end(), std::back_inserter(masqueraded),
               [](const std::string& pool) { return is_private(*parse_ipv4_block(pool)); });
  return host_tables({mark_, pools_, format_ipv4_block(link_addresses), masqueraded, uplink_, pools6_});
}

Result<void> Host::ensure() {
  const std::lock_guard lock(mutex_);
  const auto forwarding = read_file("/proc/sys/net/ipv4/ip_forward", 16);
  if (!forwarding || trim(*forwarding) != "1") {
    if (auto set = host::set_network_option("ipv4/ip_forward", "1"); !set) return set;
    log::warning("network", "net.ipv4.ip_forward of the host was off and is on now: guests need it to reach other networks");
  }
  if (!warned_) {
    // Our own table cannot overrule another's drop, and theirs is not ours to change.
    warned_ = true;
    for (const auto& chain : dropping_forward_chains(list_host_chains()))
      log::warning("network",
                   "the host's chain \"{0}\" drops what is forwarded: guests reach neither the internet nor other VPCs until it lets "
                   "{1}{2}* pass (with docker: iptables -I DOCKER-USER -i {1}{2}+ -j ACCEPT; iptables -I DOCKER-USER -o {1}{2}+ -j ACCEPT)",
                   chain, link_prefix, mark_);
  }
  const auto applied = nft_.apply(tables());
  if (!applied) return fail(applied.error());
  return answer_for_addresses();
}

// --- links ---

Result<Link> Host::link_of(const std::string& vpc_id) {
  const auto name = link_name(mark_, vpc_id);
  auto link = routes_.link(name);
  if (!link) return fail(link.error());
  if (!*link) return fail(ErrorKind::not_found, "the link " + name + " of " + vpc_id + " is not there");
  return **link;
}

Result<std::uint32_t> Host::free_link_range(const std::string& vpc_id) {
  auto addresses = routes_.addresses();
  if (!addresses) return fail(addresses.error());
  std::set<std::uint32_t> used;
  for (const auto& one : *addresses)
    if (link_addresses.contains(one.address)) used.insert(one.address & ~std::uint32_t{1});
  const auto count = static_cast<std::uint32_t>(link_addresses.size() / 2);
  // Starts where another installation hardly will, because two that choose at the same moment do not see each other.
  const auto first = std::strtoul(router_mac(mark_ + vpc_id).substr(12, 2).c_str(), nullptr, 16) * 64 + mark_number(mark_);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t base = link_addresses.base + static_cast<std::uint32_t>((first + i) % count) * 2;
    if (!used.contains(base)) return base;
  }
  return fail(ErrorKind::exhausted, "no link addresses are left in " + format_ipv4_block(link_addresses));
}

Result<LinkEnds> Host::ensure_link(const std::string& vpc_id) {
  const std::lock_guard lock(mutex_);
  const auto name = link_name(mark_, vpc_id);
  const auto space = namespace_of(vpc_id);
  auto existing = routes_.link(name);
  if (!existing) return fail(existing.error());
  bool complete = false;
  if (*existing) {
    // The other end may have gone with a namespace that somebody removed.
    auto looked = host::in_namespace(space, [&]() -> Result<void> {
      auto inside = RouteSocket::open();
      if (!inside) return fail(inside.error());
      auto peer = inside->link(std::string(uplink_name));
      if (!peer) return fail(peer.error());
      complete = peer->has_value();
      return {};
    });
    if (!looked) return fail(looked.error());
    if ((*existing)->alias != vpc_id && !(*existing)->alias.empty())
      return fail(ErrorKind::exists, fmt::format("link {} belongs to {}, not to {}", name, (*existing)->alias, vpc_id));
  }
  if (*existing && complete) {
    auto addresses = routes_.addresses();
    if (!addresses) return fail(addresses.error());
    for (const auto& one : *addresses)
      if (one.link == (*existing)->index && link_addresses.contains(one.address)) return LinkEnds{one.address, one.address ^ 1};
  }
  auto base = free_link_range(vpc_id);
  if (!base) return fail(base.error());
  const Descriptor target(::open(host::namespace_path(space).c_str(), O_RDONLY | O_CLOEXEC));
  if (!target) return fail_system("cannot open namespace " + space, errno);
  // No return between here and commit: queued requests would be sent with somebody else's.
  if (*existing) routes_.remove_link((*existing)->index, name);
  routes_.add_veth(name, std::string(uplink_name), target.get());
  if (auto made = routes_.commit(); !made) return fail(made.error());
  auto link = link_of(vpc_id);
  if (!link) return fail(link.error());
  routes_.set_up(link->index, vpc_id);
  routes_.add_address(link->index, *base, 31);
  if (auto done = routes_.commit(); !done) return fail(done.error());
  return LinkEnds{*base, *base ^ 1};
}

Result<void> Host::remove_link(const std::string& vpc_id) {
  const std::lock_guard lock(mutex_);
  auto link = routes_.link(link_name(mark_, vpc_id));
  if (!link) return fail(link.error());
  if (!*link || ((*link)->alias != vpc_id && !(*link)->alias.empty())) return {};
  routes_.remove_link((*link)->index, (*link)->name);
  if (auto done = routes_.commit(); !done) return done;
  return answer_for_addresses();
}

// --- public addresses ---

namespace {

Route public_route(const Link& link, const LinkEnds& ends, std::uint32_t address) {
  Route route;
  route.destination = {address, 32};
  route.link = link.index;
  route.gateway = ends.vpc;
  route.source = ends.host;
  return route;
}

}  // namespace

Result<void> Host::set_public_addresses(const std::string& vpc_id, const LinkEnds& ends, const std::vector<std::uint32_t>& addresses) {
  const std::lock_guard lock(mutex_);
  auto link = link_of(vpc_id);
  if (!link) return fail(link.error());
  auto routes = routes_.routes();
  if (!routes) return fail(routes.error());
  std::set<std::uint32_t> missing(addresses.begin(), addresses.end());
  for (const auto& route : *routes) {
    if (route.link != link->index || route.protocol != route_protocol) continue;
    // With its link, because the address may belong to another VPC by now.
    if (route.gateway != ends.vpc || missing.erase(route.destination.base) == 0) routes_.remove_route(route);
  }
  for (const auto address : missing) routes_.put_route(public_route(*link, ends, address));
  if (auto done = routes_.commit(); !done) return done;
  return answer_for_addresses();
}

Result<void> Host::add_public_address(const std::string& vpc_id, const LinkEnds& ends, std::uint32_t address) {
  const std::lock_guard lock(mutex_);
  auto link = link_of(vpc_id);
  if (!link) return fail(link.error());
  routes_.put_route(public_route(*link, ends, address));
  if (auto done = routes_.commit(); !done) return done;
  return answer_for_addresses();
}

// Derived from the existing routes, so that nothing has to be remembered. The kernel answers only for addresses that it routes elsewhere.
Result<void> Host::answer_for_addresses() {
  if (uplink_.empty()) return {};
  auto link = routes_.link(uplink_);
  auto routes = routes_.routes();
  if (!link) return fail(link.error());
  if (!routes) return fail(routes.error());
  if (!*link) return fail(ErrorKind::not_found, "the uplink " + uplink_ + " is gone");
  auto answered = routes_.proxies((*link)->index);
  if (!answered) return fail(answered.error());
  std::set<std::uint32_t> wanted;
  for (const auto& route : *routes)
    if (route.protocol == route_protocol && route.table == 0 && route.type == RTN_UNICAST && route.destination.prefix == 32 &&
        is_public(route.destination.base))
      wanted.insert(route.destination.base);
  for (const auto address : *answered)
    if (is_public(address) && wanted.erase(address) == 0) routes_.remove_proxy((*link)->index, address);
  for (const auto address : wanted) routes_.put_proxy((*link)->index, address);
  return routes_.commit();
}

// --- the end ---

Result<void> Host::remove_rest() {
  const std::lock_guard lock(mutex_);
  auto all = routes_.links();
  if (!all) return fail(all.error());
  for (const auto& link : *all)
    if (link.name.starts_with(std::string(link_prefix) + mark_) && link.kind == "veth") routes_.remove_link(link.index, link.name);
  if (auto released = release<Ipv4>(); !released) return released;
  if (has_ipv6())
    if (auto released = release<Ipv6>(); !released) return released;
  if (auto done = routes_.commit(); !done) return done;
  if (auto done = answer_for_addresses(); !done) log::warning("network", "{}", done.error().message);
  std::error_code ignored;
  std::filesystem::remove_all(runtime_folder(mark_), ignored);
  std::filesystem::remove_all(folder_ + "/vpcs", ignored);
  return nft_.remove(tables());
}

}  // namespace brume::network
