// IPv4 addresses and blocks as numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brume {

std::optional<std::uint32_t> parse_ipv4(std::string_view text);
std::string format_ipv4(std::uint32_t address);

struct Ipv4Block {
  std::uint32_t base = 0;
  int prefix = 32;

  std::uint64_t size() const { return 1ULL << (32 - prefix); }
  std::uint32_t mask() const { return prefix == 0 ? 0 : ~std::uint32_t{0} << (32 - prefix); }
  bool contains(std::uint32_t address) const { return (address & mask()) == base; }
};
// "172.31.0.0/16". Host bits are cleared ("10.0.0.5/8" becomes 10.0.0.0/8). nullopt: not a block.
std::optional<Ipv4Block> parse_ipv4_block(std::string_view text);
std::string format_ipv4_block(const Ipv4Block& block);
// "203.0.113.0/28,198.51.100.8/29", separated by commas or blanks. nullopt: one of them is not a block.
std::optional<std::vector<Ipv4Block>> parse_ipv4_blocks(std::string_view text);

// "172-31-0-5", as names that are made of addresses have it.
std::string dashed(std::string address);

}  // namespace brume
