#include "guest/metadata_token.hpp"

#include <algorithm>
#include <cstdint>

#include "base/crypto.hpp"
#include "base/text.hpp"

namespace brume::guest {
namespace {

constexpr size_t end_size = 8;    // seconds since 1970, most significant byte first
constexpr size_t mac_size = 32;   // HMAC-SHA256
constexpr size_t text_size = 56;  // base64 of both

std::string encode_end(std::int64_t end) {
  std::string bytes(end_size, '\0');
  for (size_t i = 0; i < end_size; ++i) bytes[i] = static_cast<char>((end >> (8 * (end_size - 1 - i))) & 0xff);
  return bytes;
}

std::int64_t decode_end(std::string_view bytes) {
  std::uint64_t end = 0;
  for (const char byte : bytes) end = end << 8 | static_cast<unsigned char>(byte);
  return static_cast<std::int64_t>(end);
}

// The words in front keep this use of the key apart from any other use.
Sha256 mac_of(std::string_view key, std::string_view instance_id, std::string_view end) {
  std::string message = "brume metadata token\n";
  message.append(end).append(instance_id);
  return hmac_sha256(key, message);
}

std::int64_t seconds_of(Time time) { return std::chrono::floor<seconds>(time).time_since_epoch().count(); }

}  // namespace

std::string make_token(std::string_view key, std::string_view instance_id, Time now, seconds life) {
  const std::string end = encode_end(seconds_of(now) + life.count());
  std::string text = to_base64(end + std::string(mac_of(key, instance_id, end)));
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::optional<seconds> check_token(std::string_view key, std::string_view instance_id, Time now, std::string_view token) {
  if (token.size() != text_size) return std::nullopt;
  std::string text(token);
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  const auto bytes = from_base64(text);
  if (!bytes || bytes->size() != end_size + mac_size) return std::nullopt;
  const auto end = std::string_view(*bytes).substr(0, end_size);
  if (!constant_time_equal(mac_of(key, instance_id, end), std::string_view(*bytes).substr(end_size))) return std::nullopt;
  const seconds left(decode_end(end) - seconds_of(now));
  if (left <= seconds::zero()) return std::nullopt;
  return left;
}

}  // namespace brume::guest
