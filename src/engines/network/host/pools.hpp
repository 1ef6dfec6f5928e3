// Which range of public addresses an installation takes if none is configured, and which installation on this host has which.
//
// A running installation holds its pool by a route. A stopped one has no route, and must find its pool again: so each one also records its
// pool, beside those of all others on this host, in /var/lib/brume-pools/MARK. A reservation holds as long as the home that it names has
// that mark: deleting a home frees its range.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/descriptor.hpp"
#include "base/ipv4.hpp"
#include "base/result.hpp"

namespace brume::network {

// RFC 2544 reserves 198.18.0.0/15 for benchmarks: no public host has these addresses. Links between host and VPCs use the first half of
// 198.19.0.0/16, pools the rest.
inline constexpr std::uint32_t benchmark_base = 0xC6120000;
inline constexpr Ipv4Block link_addresses{0xC6130000, 17};

inline constexpr const char* pool_registry_folder = "/var/lib/brume-pools";

// In this installation's order of preference: each mark prefers a different one, as far as there are enough.
std::vector<Ipv4Block> pool_candidates(const std::string& mark);

struct PoolReservation {
  std::string mark;
  std::string home;
  std::vector<Ipv4Block> ranges;
  bool is_certain = true;  // false: its home cannot be seen, perhaps because its disk is not mounted
};

// Only one on this host exists at a time, so that nobody takes a range between another's look and its choice. Threads: one.
class PoolRegistry {
 public:
  // Waits for another holder.
  static Result<PoolRegistry> open(const std::string& folder);

  // Without those of homes that are gone, which this call removes; `freed` gets their marks.
  std::vector<PoolReservation> reservations(std::vector<std::string>& freed) const;
  // The home that has this mark; empty: unknown. Never waits.
  static std::string home_of(const std::string& folder, const std::string& mark);
  // `network_folder`: "<home>/network".
  Result<void> keep(const std::string& mark, const std::string& network_folder, const std::vector<std::string>& ranges) const;

 private:
  PoolRegistry(std::string folder, Descriptor lock) : folder_(std::move(folder)), lock_(std::move(lock)) {}
  std::string folder_;
  Descriptor lock_;
};

}  // namespace brume::network
