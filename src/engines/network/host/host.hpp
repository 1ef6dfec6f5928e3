// What this installation has on the host itself, outside of its namespaces: its mark, its range of public addresses, a link to each VPC's
// namespace, routes to the public addresses behind it, and one small table.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "engines/network/netlink/rtnetlink.hpp"
#include "engines/network/network_engine.hpp"
#include "engines/network/nft/nft.hpp"

namespace brume::network {

struct PoolReservation;

struct LinkEnds {
  std::uint32_t host = 0;
  std::uint32_t vpc = 0;
};

// Threads: all functions may be called from any thread.
class Host {
 public:
  static Result<std::unique_ptr<Host>> open(const HostNetworkConfiguration& configuration);
  // Only for removal: chooses and holds nothing. `not_found`: the installation has no mark, and so nothing to remove.
  static Result<std::unique_ptr<Host>> open_to_remove(const HostNetworkConfiguration& configuration);

  // Whether the host had anything with the mark before this was opened.
  bool was_on_host() const { return was_on_host_; }
  const std::string& mark() const { return mark_; }
  // Ranges of public addresses, and the addresses in them that must not be handed out.
  const std::vector<std::string>& pools() const { return pools_; }
  std::vector<std::string> kept_addresses();
  // Ranges that VPCs' IPv6 ranges are taken from; none: this host has no IPv6.
  const std::vector<std::string>& pools6() const { return pools6_; }
  bool is_public(std::uint32_t address) const;
  std::string namespace_of(const std::string& vpc_id) const;
  std::string folder_of(const std::string& vpc_id) const;          // permanent files
  std::string runtime_folder_of(const std::string& vpc_id) const;  // files that a reboot may remove

  // Table and forwarding.
  Result<void> ensure();
  std::string table() const;
  // Nft::is_ours for the host's tables.
  bool is_ours(const std::set<std::uint32_t>& generations);
  // The link between the host and the namespace of the VPC, which must exist.
  Result<LinkEnds> ensure_link(const std::string& vpc_id);
  Result<void> remove_link(const std::string& vpc_id);
  // Routes exactly these public addresses to the VPC.
  Result<void> set_public_addresses(const std::string& vpc_id, const LinkEnds& ends, const std::vector<std::uint32_t>& addresses);
  Result<void> add_public_address(const std::string& vpc_id, const LinkEnds& ends, std::uint32_t address);

  // Routes exactly these ranges of IPv6 to the VPC. Once there are any, the host forwards IPv6.
  Result<void> lead_ipv6(const std::string& vpc_id, const std::vector<Ipv6Block>& ranges);

  // Removes everything that carries the mark and that no VPC owns; the namespaces must be gone.
  Result<void> remove_rest();

 private:
  Host(std::string mark, std::string folder, std::string uplink, RouteSocket routes)
      : mark_(std::move(mark)), folder_(std::move(folder)), uplink_(std::move(uplink)), routes_(std::move(routes)) {}
  Result<bool> look_for_mark();
  Result<void> choose_pools(const std::string& configured);
  Result<void> set_pools(const std::string& ranges, const std::string& origin);
  Result<Ipv4Block> free_pool(const std::vector<PoolReservation>& reservations);
  Result<void> remove_routes_of_gone(const std::vector<std::string>& marks);
  void warn_of_sharing(const std::vector<PoolReservation>& reservations) const;
  static Error pool_conflict(std::string_view what, const std::string& range, std::uint32_t metric);
  Result<void> choose_pools6(const std::string& configured);
  Result<void> set_pools6(const std::string& ranges, const std::string& origin);
  // Queue the routes that hold the pools, and their removal.
  template <class Family>
  Result<void> reserve(const std::vector<std::string>& pools, std::string_view what);
  template <class Family>
  Result<void> release();
  // Makes the uplink answer for exactly the public addresses that are routed.
  Result<void> answer_for_addresses();
  std::uint32_t reservation_metric() const;
  Result<std::uint32_t> free_link_range(const std::string& vpc_id);
  Result<Link> link_of(const std::string& vpc_id);
  std::vector<Table> tables() const;

  std::string mark_;
  std::string folder_;
  std::vector<std::string> pools_;
  std::vector<std::string> pools6_;
  std::string uplink_;  // empty: none
  std::mutex mutex_;
  RouteSocket routes_;
  Nft nft_{""};
  bool warned_ = false;
  bool was_on_host_ = true;
};

}  // namespace brume::network
