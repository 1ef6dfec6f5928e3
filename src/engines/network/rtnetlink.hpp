// Links, addresses, routes and neighbours of one network namespace.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ipv4.hpp"
#include "base/ipv6.hpp"
#include "engines/network/netlink.hpp"

namespace brume::network {

// Routes that Brume makes carry this protocol number; the operator sees "proto 66".
inline constexpr std::uint8_t route_protocol = 66;

struct Link {
  int index = 0;
  std::string name;
  std::string alias;
  std::string kind;  // "veth", "tun"
};

struct LinkAddress {
  int link = 0;
  std::uint32_t address = 0;
  unsigned prefix = 0;
};

struct Route {
  Ipv4Block destination;
  int link = 0;               // 0: none
  std::uint32_t gateway = 0;  // 0: none
  std::uint32_t source = 0;   // preferred source; 0: none
  std::uint32_t metric = 0;
  std::uint8_t protocol = route_protocol;
  std::uint8_t type = 1;    // RTN_UNICAST
  bool on_link = false;     // the gateway need not be in a range of the link
  std::uint32_t table = 0;  // 0: the main one
};

struct Link6Address {
  int link = 0;
  Ipv6Address address;
  bool operator==(const Link6Address&) const = default;
};

struct Route6 {
  Ipv6Block destination;
  int link = 0;         // means nothing of a route that leads nowhere
  Ipv6Address gateway;  // all zeroes: none
  std::uint32_t metric = 1024;
  std::uint8_t protocol = route_protocol;
  std::uint8_t type = 1;    // RTN_UNICAST
  std::uint32_t table = 0;  // 0: the main one
};

// Packets with this mark ask this table first.
struct MarkRule {
  std::uint32_t mark = 0;
  std::uint32_t table = 0;
};

// Requests are queued; commit sends them together. Threads: one at a time.
class RouteSocket {
 public:
  // In the namespace of the calling thread.
  static Result<RouteSocket> open();

  Result<std::vector<Link>> links();
  Result<std::optional<Link>> link(const std::string& name);
  Result<std::vector<LinkAddress>> addresses();
  Result<std::vector<Route>> routes();  // IPv4, of all tables but "local"

  // A veth pair: one end here, the other in the namespace that `peer_namespace` is open on.
  void add_veth(const std::string& name, const std::string& peer, int peer_namespace);
  void remove_link(int index, const std::string& name);
  // Many in one step: the kernel waits once, not 25 ms for each.
  void remove_links(const std::vector<int>& indexes);
  // Up, with an alias and, if given, a hardware address.
  void set_up(int index, const std::string& alias = {}, const std::string& mac = {});
  void add_address(int link, std::uint32_t address, unsigned prefix);
  void remove_address(int link, std::uint32_t address, unsigned prefix);
  void put_route(const Route& route);  // in place of one to the same range
  void remove_route(const Route& route);
  // Rules with `preference`, which no one else uses in this namespace; of IPv4 (2) or IPv6 (10).
  Result<std::vector<MarkRule>> mark_rules(std::uint32_t preference, int family = 2);
  void add_mark_rule(std::uint32_t preference, const MarkRule& rule, int family = 2);
  void remove_mark_rule(std::uint32_t preference, const MarkRule& rule, int family = 2);
  // Proxy ARP without the kernel's random wait of up to 0.8 s. (A namespace has no default that new links would inherit.)
  void answer_at_once(int link);
  void put_neighbour(int link, std::uint32_t address, const std::string& mac);
  // Addresses for which a link answers ARP in place of those who have them.
  Result<std::vector<std::uint32_t>> proxies(int link);
  void put_proxy(int link, std::uint32_t address);
  void remove_proxy(int link, std::uint32_t address);
  Result<void> commit() { return socket_.commit(); }

  // The same of IPv6, in rtnetlink6.cpp. Addresses are there at once: nobody is asked whether they are taken.
  Result<std::vector<Link6Address>> addresses6();
  Result<std::vector<Route6>> routes6();  // of all tables but "local"
  // Without a route to the range of `prefix`.
  void add_address6(int link, const Ipv6Address& address, unsigned prefix);
  void remove_address6(int link, const Ipv6Address& address, unsigned prefix);
  void add_route6(const Route6& route);  // success also when it is there
  void remove_route6(const Route6& route);
  void put_neighbour6(int link, const Ipv6Address& address, const std::string& mac);

 private:
  explicit RouteSocket(NetlinkSocket socket) : socket_(std::move(socket)) {}
  NetlinkSocket socket_;
};

}  // namespace brume::network
