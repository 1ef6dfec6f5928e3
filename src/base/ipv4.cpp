#include "base/ipv4.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace brume {

std::optional<std::uint32_t> parse_ipv4(std::string_view text) {
  const auto parts = split(text, '.');
  if (parts.size() != 4) return std::nullopt;
  std::uint32_t address = 0;
  for (const auto part : parts) {
    const auto value = part.size() > 3 || part.empty() || part.front() == '-' ? std::nullopt : parse_integer(part);
    if (!value || *value > 255) return std::nullopt;
    address = (address << 8) | static_cast<std::uint32_t>(*value);
  }
  return address;
}

std::string format_ipv4(std::uint32_t address) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    if (!text.empty()) text += '.';
    text += std::to_string((address >> shift) & 255);
  }
  return text;
}

std::optional<Ipv4Block> parse_ipv4_block(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = parse_ipv4(text.substr(0, slash));
  const auto prefix = parse_integer(text.substr(slash + 1));
  if (!address || !prefix || *prefix < 0 || *prefix > 32) return std::nullopt;
  Ipv4Block block{0, static_cast<int>(*prefix)};
  block.base = *address & block.mask();
  return block;
}

std::optional<std::vector<Ipv4Block>> parse_ipv4_blocks(std::string_view text) {
  std::vector<Ipv4Block> blocks;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(", "), text.size());
    if (end > 0) {
      const auto block = parse_ipv4_block(text.substr(0, end));
      if (!block) return std::nullopt;
      blocks.push_back(*block);
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return blocks;
}

std::string format_ipv4_block(const Ipv4Block& block) { return format_ipv4(block.base) + "/" + std::to_string(block.prefix); }

std::string dashed(std::string address) {
  std::replace(address.begin(), address.end(), '.', '-');
  return address;
}

}  // namespace brume
