#include "engines/network/names/names.hpp"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/text.hpp"

namespace brume::network {
namespace {

constexpr size_t mark_size = 6;
constexpr size_t interface_name_limit = 15;

// FNV-1a: the same on every machine and in every version, as names require.
std::uint64_t stable_hash(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash ^ hash >> 29;
}

std::string letters(std::uint64_t number, size_t count) {
  constexpr std::string_view digits = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::string text(count, '0');
  for (auto& letter : text) {
    letter = digits[number % digits.size()];
    number /= digits.size();
  }
  return text;
}

bool is_hex(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

std::string namespace_prefix(std::string_view mark) { return fmt::format("brume-{}-", mark); }

// The prefix and as many of the id's last digits as the kernel allows.
std::string short_name(std::string_view prefix, std::string_view id) {
  const size_t room = interface_name_limit - prefix.size();
  const auto dash = id.rfind('-');
  const auto digits = dash == std::string_view::npos ? id : id.substr(dash + 1);
  if (!is_hex(digits)) return std::string(prefix) + letters(stable_hash(id), room);
  return std::string(prefix) + std::string(digits.substr(digits.size() - std::min(room, digits.size())));
}

}  // namespace

Result<std::string> load_or_make_mark(const std::string& folder, Random& random) {
  const auto path = folder + "/mark";
  if (path_exists(path)) {
    auto text = read_file(path, 64);
    if (!text) return fail(text.error());
    auto mark = std::string(trim(*text));
    if (mark.size() == mark_size && is_hex(mark)) return mark;
    return fail(ErrorKind::broken, path + " does not hold six hex digits; without the right mark nothing on the host can be told apart");
  }
  auto mark = random.hex(mark_size);
  if (auto done = write_file(path, mark + "\n"); !done) return fail(done.error());
  return mark;
}

std::string namespace_name(std::string_view mark, std::string_view vpc_id) { return namespace_prefix(mark) + std::string(vpc_id); }

std::optional<std::string> vpc_of_namespace(std::string_view mark, std::string_view name) {
  const auto prefix = namespace_prefix(mark);
  if (!name.starts_with(prefix) || name.size() == prefix.size()) return std::nullopt;
  return std::string(name.substr(prefix.size()));
}

std::string link_name(std::string_view mark, std::string_view vpc_id) {
  const auto head = std::string(link_prefix) + std::string(mark);
  return head + letters(stable_hash(vpc_id), interface_name_limit - head.size());
}

std::string tap_name(std::string_view interface_id) { return short_name(tap_prefix, interface_id); }

std::string peering_name(std::string_view peering_id) { return short_name(peering_prefix, peering_id); }

std::string host_table(std::string_view mark) { return "brume_" + std::string(mark); }

std::string runtime_folder(std::string_view mark) { return "/run/brume-" + std::string(mark); }

std::string router_mac(std::string_view vpc_id) {
  const auto hash = stable_hash(vpc_id);
  return fmt::format("fe:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", hash & 255, hash >> 8 & 255, hash >> 16 & 255, hash >> 24 & 255,
                     hash >> 32 & 255);
}

std::string table_name_part(std::string_view id) {
  std::string part(id);
  std::replace(part.begin(), part.end(), '-', '_');
  return part;
}

bool is_safe_id(std::string_view id) {
  constexpr size_t limit = 64;
  if (id.empty() || id.size() > limit || id.front() == '-') return false;
  return std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

}  // namespace brume::network
