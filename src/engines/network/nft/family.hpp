// What IPv4 and IPv6 call the same things. Code that holds for both alike is written once, as a template for these two families.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/ipv4.hpp"
#include "base/ipv6.hpp"

namespace brume::network {

struct Ipv4 {
  using Address = std::uint32_t;
  using Block = Ipv4Block;
  static constexpr int number = 2;  // AF_INET
  static constexpr int bits = 32;
  // Its name in nftables' rules, and the suffix that tells the families apart in names of sets and chains.
  static constexpr std::string_view header = "ip";
  static constexpr std::string_view address_type = "ipv4_addr";
  static constexpr std::string_view digit = "";
  static constexpr std::string_view icmp = "icmp";
  static constexpr int icmp_number = 1;

  static std::optional<Address> parse(std::string_view text) { return parse_ipv4(text); }
  static std::optional<Block> parse_block(std::string_view text) { return parse_ipv4_block(text); }
  static std::string format(const Address& address) { return format_ipv4(address); }
  static std::string format(const Block& block) { return format_ipv4_block(block); }
};

struct Ipv6 {
  using Address = Ipv6Address;
  using Block = Ipv6Block;
  static constexpr int number = 10;  // AF_INET6
  static constexpr int bits = 128;
  static constexpr std::string_view header = "ip6";
  static constexpr std::string_view address_type = "ipv6_addr";
  static constexpr std::string_view digit = "6";
  static constexpr std::string_view icmp = "icmpv6";
  static constexpr int icmp_number = 58;

  static std::optional<Address> parse(std::string_view text) { return parse_ipv6(text); }
  static std::optional<Block> parse_block(std::string_view text) { return parse_ipv6_block(text); }
  static std::string format(const Address& address) { return format_ipv6(address); }
  static std::string format(const Block& block) { return format_ipv6_block(block); }
};

template <class Family>
inline constexpr bool is_ipv4 = std::is_same_v<Family, Ipv4>;

}  // namespace brume::network
