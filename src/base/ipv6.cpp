#include "base/ipv6.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "base/text.hpp"

namespace brume {

std::optional<Ipv6Address> parse_ipv6(std::string_view text) {
  Ipv6Address address;
  const std::string terminated(text);
  if (terminated.find('\0') != std::string::npos || ::inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) != 1)
    return std::nullopt;
  return address;
}

std::string format_ipv6(const Ipv6Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET6, address.bytes.data(), text.data(), text.size());
  return text.data();
}

Ipv6Address ipv6_network(Ipv6Address address, int prefix) {
  for (int at = 0; at < 16; ++at) {
    const int kept = std::clamp(prefix - at * 8, 0, 8);
    auto& byte = address.bytes[static_cast<size_t>(at)];
    byte = static_cast<std::uint8_t>(byte & (0xFF00U >> kept));
  }
  return address;
}

bool Ipv6Block::contains(const Ipv6Address& address) const { return ipv6_network(address, prefix) == base; }

std::optional<Ipv6Block> parse_ipv6_block(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = parse_ipv6(text.substr(0, slash));
  const auto prefix = parse_integer(text.substr(slash + 1));
  if (!address || !prefix || *prefix < 0 || *prefix > 128) return std::nullopt;
  const auto length = static_cast<int>(*prefix);
  return Ipv6Block{ipv6_network(*address, length), length};
}

std::string format_ipv6_block(const Ipv6Block& block) { return format_ipv6(block.base) + "/" + std::to_string(block.prefix); }

std::optional<std::vector<Ipv6Block>> parse_ipv6_blocks(std::string_view text) {
  std::vector<Ipv6Block> blocks;
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), ',', ' ');
  for (const auto part : split(spaced, ' ')) {
    if (part.empty()) continue;
    const auto block = parse_ipv6_block(part);
    if (!block) return std::nullopt;
    blocks.push_back(*block);
  }
  return blocks;
}

namespace {

// Adds to the address a number that is shifted left by `shift` bits; the overflow is lost.
Ipv6Address add(Ipv6Address address, std::uint64_t number, int shift) {
  unsigned carry = 0;
  for (int bit = shift; bit < 128; bit += 8 - bit % 8) {
    const int at = 15 - bit / 8;
    const int within = bit % 8;
    auto& byte = address.bytes[static_cast<size_t>(at)];
    const unsigned part = static_cast<unsigned>(number & (0xFFU >> within)) << within;
    const unsigned sum = byte + part + carry;
    byte = static_cast<std::uint8_t>(sum);
    carry = sum >> 8;
    number >>= 8 - within;
  }
  return address;
}

}  // namespace

Ipv6Block ipv6_part(const Ipv6Block& whole, int prefix, std::uint64_t number) { return {add(whole.base, number, 128 - prefix), prefix}; }

Ipv6Address ipv6_host(const Ipv6Block& block, std::uint64_t offset) { return add(block.base, offset, 0); }

bool overlap(const Ipv6Block& a, const Ipv6Block& b) { return a.contains(b.base) || b.contains(a.base); }

bool lies_in(const Ipv6Block& range, const Ipv6Block& other) { return range.prefix >= other.prefix && other.contains(range.base); }

}  // namespace brume
