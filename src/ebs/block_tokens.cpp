#include "ebs/block_tokens.hpp"

#include <fmt/format.h>

#include "base/crypto.hpp"
#include "base/text.hpp"

namespace brume::ebs {
namespace {

constexpr size_t number_bytes = 8;
constexpr size_t proof_bytes = 24;

// The number in the token, with the proof that we issued it for `what`.
std::string make_token(const service::Context& context, std::string_view what, std::int64_t number) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>((static_cast<std::uint64_t>(number) >> shift) & 0xffU);
  const auto proof = hmac_sha256(context.services.token_key, fmt::format("ebs direct\n{}\n{}\n{}", context.account(), what, number));
  return to_base64(bytes + std::string(std::string_view(proof).substr(0, proof_bytes)));
}

std::optional<std::int64_t> read_token(const service::Context& context, std::string_view what, const std::string& token) {
  const auto bytes = from_base64(token);
  if (!bytes || bytes->size() != number_bytes + proof_bytes) return std::nullopt;
  std::uint64_t number = 0;
  for (size_t i = 0; i < number_bytes; ++i) number = number << 8 | static_cast<unsigned char>((*bytes)[i]);
  const auto value = static_cast<std::int64_t>(number);
  if (!constant_time_equal(make_token(context, what, value), to_base64(*bytes))) return std::nullopt;
  return value;
}

std::string block_name(const std::string& snapshot_id, std::int64_t block) { return fmt::format("block {} {}", snapshot_id, block); }

}  // namespace

std::string block_token(const service::Context& context, const std::string& snapshot_id, std::int64_t block, Time expires) {
  return make_token(context, block_name(snapshot_id, block), expires.time_since_epoch().count());
}

bool is_block_token(const service::Context& context, const std::string& token, const std::string& snapshot_id, std::int64_t block) {
  const auto expires = read_token(context, block_name(snapshot_id, block), token);
  return expires && context.now.time_since_epoch().count() < *expires;
}

std::string page_token(const service::Context& context, const std::string& listing, std::int64_t next_block) {
  return make_token(context, "page " + listing, next_block);
}

std::optional<std::int64_t> read_page_token(const service::Context& context, const std::string& token, const std::string& listing) {
  return read_token(context, "page " + listing, token);
}

}  // namespace brume::ebs
