// IPv6 addresses and blocks as bytes, in the order in which they go over the wire.
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
// As RFC 5952 writes it.
std::string format_ipv6(const Ipv6Address& address);

struct Ipv6Block {
  Ipv6Address base;
  int prefix = 128;
  bool contains(const Ipv6Address& address) const;
  bool operator==(const Ipv6Block&) const = default;
};
// "2001:db8::/56". Host bits are cut off. nullopt: not such a block.
std::optional<Ipv6Block> parse_ipv6_block(std::string_view text);
std::string format_ipv6_block(const Ipv6Block& block);
// With commas or blanks between. nullopt: one is not such a block.
std::optional<std::vector<Ipv6Block>> parse_ipv6_blocks(std::string_view text);
// The address with its bits from `prefix` on cleared.
Ipv6Address ipv6_network(Ipv6Address address, int prefix);
// The block of the length `prefix` with this number, counted from 0, in `whole`; the lengths are at most 64 bits apart.
Ipv6Block ipv6_part(const Ipv6Block& whole, int prefix, std::uint64_t number);
// Base + `offset`.
Ipv6Address ipv6_host(const Ipv6Block& block, std::uint64_t offset);
bool overlap(const Ipv6Block& a, const Ipv6Block& b);
// The range lies in the other.
bool lies_in(const Ipv6Block& range, const Ipv6Block& other);

}  // namespace brume
