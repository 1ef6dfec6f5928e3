// Links, addresses, routes and neighbours of one network namespace.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engines/network/netlink/netlink.hpp"
#include "engines/network/nft/family.hpp"

namespace brume::network {

// Routes that Brume makes carry this protocol number; the operator sees "proto 66".
inline constexpr std::uint8_t route_protocol = 66;

struct Link {
  int index = 0;
  std::string name;
  std::string alias;
  std::string kind;  // "veth", "tun"
};

template <class Family>
struct AddressOf {
  int link = 0;
  typename Family::Address address{};
  unsigned prefix = 0;
};
using LinkAddress = AddressOf<Ipv4>;

template <class Family>
struct RouteOf {
  typename Family::Block destination{};
  int link = 0;                                       // 0: none
  typename Family::Address gateway{};                 // all zeroes: none
  typename Family::Address source{};                  // preferred source; all zeroes: none
  std::uint32_t metric = is_ipv4<Family> ? 0 : 1024;  // what the kernel takes for none
  std::uint8_t protocol = route_protocol;
  std::uint8_t type = 1;    // RTN_UNICAST
  bool on_link = false;     // the gateway need not be in a range of the link
  std::uint32_t table = 0;  // 0: the main one
};
using Route = RouteOf<Ipv4>;
using Route6 = RouteOf<Ipv6>;

// Requests are queued; commit sends them together. Threads: one at a time.
class RouteSocket {
 public:
  // In the namespace of the calling thread.
  static Result<RouteSocket> open();

  Result<std::vector<Link>> links();
  Result<std::optional<Link>> link(const std::string& name);
  template <class Family = Ipv4>
  Result<std::vector<AddressOf<Family>>> addresses();
  template <class Family = Ipv4>
  Result<std::vector<RouteOf<Family>>> routes();  // of all tables except "local"; a route that leads nowhere has no link

  // A veth pair: one end here, the other in the namespace that `peer_namespace` is open on.
  void add_veth(const std::string& name, const std::string& peer, int peer_namespace);
  void remove_link(int index, const std::string& name);
  // Many in one step: the kernel waits once, instead of 25 ms for each.
  void remove_links(const std::vector<int>& indexes);
  // Sets the link up, with an alias and, if given, a hardware address.
  void set_up(int index, const std::string& alias = {}, const std::string& mac = {});
  // IPv6 addresses are usable at once, because duplicate detection is off, and get no route to the range of `prefix`.
  void add_address(int link, std::uint32_t address, unsigned prefix);
  void add_address(int link, const Ipv6Address& address, unsigned prefix);
  void remove_address(int link, std::uint32_t address, unsigned prefix);
  void put_route(const Route& route);   // replaces one to the same range
  void put_route(const Route6& route);  // succeeds also if there is one
  void remove_route(const Route& route);
  void remove_route(const Route6& route);
  // Makes marks of the same numbers select exactly these tables, by rules with `preference`, which nobody else uses in this namespace.
  template <class Family>
  Result<void> set_mark_rules(std::uint32_t preference, std::set<std::uint32_t> tables);
  // Proxy ARP without the kernel's random wait of up to 0.8 s. (A namespace has no default that new links would inherit.)
  void answer_at_once(int link);
  void put_neighbour(int link, std::uint32_t address, const std::string& mac);
  void put_neighbour(int link, const Ipv6Address& address, const std::string& mac);
  // Addresses for which a link answers ARP on behalf of their owners.
  Result<std::vector<std::uint32_t>> proxies(int link);
  void put_proxy(int link, std::uint32_t address);
  void remove_proxy(int link, std::uint32_t address);
  Result<void> commit() { return socket_.commit(); }

 private:
  explicit RouteSocket(NetlinkSocket socket) : socket_(std::move(socket)) {}
  template <class Address>
  void queue_neighbour(int link, const Address& address, const std::string& mac);
  NetlinkSocket socket_;
};

}  // namespace brume::network
