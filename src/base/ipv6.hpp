// IPv6 addresses and blocks as bytes in network order.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brume {

struct Ipv6Address {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const Ipv6Address&) const = default;
};
std::optional<Ipv6Address> parse_ipv6(std::string_view text);
// In the form of RFC 5952.
std::string format_ipv6(const Ipv6Address& address);

struct Ipv6Block {
  Ipv6Address base;
  int prefix = 128;
  bool contains(const Ipv6Address& address) const;
  bool operator==(const Ipv6Block&) const = default;
};
// "2001:db8::/56". Host bits are cleared. nullopt: not a block.
std::optional<Ipv6Block> parse_ipv6_block(std::string_view text);
std::string format_ipv6_block(const Ipv6Block& block);
// Separated by commas or blanks. nullopt: one of them is not a block.
std::optional<std::vector<Ipv6Block>> parse_ipv6_blocks(std::string_view text);
// The address with all bits after `prefix` cleared.
Ipv6Address ipv6_network(Ipv6Address address, int prefix);
// The block of length `prefix` with this number, counted from 0, inside `whole`; the two lengths are at most 64 bits apart.
Ipv6Block ipv6_part(const Ipv6Block& whole, int prefix, std::uint64_t number);
// The base address plus `offset`.
Ipv6Address ipv6_host(const Ipv6Block& block, std::uint64_t offset);
bool overlap(const Ipv6Block& a, const Ipv6Block& b);
// Whether the first range lies inside the other.
bool lies_in(const Ipv6Block& range, const Ipv6Block& other);

}  // namespace brume
