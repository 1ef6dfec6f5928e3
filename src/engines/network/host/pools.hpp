// Which range of public addresses an installation takes, when nobody says so, and who has which on this host.
//
// A running installation holds its pool by a route. One that is stopped has none, and must find its pool again: so each also writes its
// pool down, beside those of all others on this host, in /var/lib/brume-pools/MARK. A reservation holds as long as the home that it names
// has that mark: a home that is deleted gives its range back by that.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/descriptor.hpp"
#include "base/ipv4.hpp"
#include "base/result.hpp"

namespace brume::network {

// RFC 2544 keeps 198.18.0.0/15 for benchmarks: no public host has these addresses. Links between host and VPCs take the first half of
// 198.19.0.0/16, pools the rest.
inline constexpr std::uint32_t benchmark_base = 0xC6120000;
inline constexpr Ipv4Block link_addresses{0xC6130000, 17};

inline constexpr const char* pool_registry_folder = "/var/lib/brume-pools";

// In the order in which this installation would like to have them: each mark has another one first, as far as there are enough.
std::vector<Ipv4Block> pool_candidates(const std::string& mark);

struct PoolReservation {
  std::string mark;
  std::string home;
  std::vector<Ipv4Block> ranges;
  bool is_certain = true;  // false: its home cannot be seen, perhaps because its disk is not mounted
};

// One at a time on this host while it lives: who looks and then takes must not be overtaken. Threads: one.
class PoolRegistry {
 public:
  // Waits for another that has it.
  static Result<PoolRegistry> open(const std::string& folder);

  // Without those of homes that are gone, which are removed by this; `freed` gets their marks.
  std::vector<PoolReservation> reservations(std::vector<std::string>& freed) const;
  // The home that has this mark; empty: unknown. Waits for nobody.
  static std::string home_of(const std::string& folder, const std::string& mark);
  // `network_folder`: "<home>/network".
  Result<void> keep(const std::string& mark, const std::string& network_folder, const std::vector<std::string>& ranges) const;

 private:
  PoolRegistry(std::string folder, Descriptor lock) : folder_(std::move(folder)), lock_(std::move(lock)) {}
  std::string folder_;
  Descriptor lock_;
};

}  // namespace brume::network
