#include "ec2/paging.hpp"

#include <fmt/format.h>

#include "base/crypto.hpp"
#include "base/text.hpp"
#include "wire/api_error.hpp"

namespace brume::ec2 {

namespace {

// A token is base64 of: one byte of version, eight bytes of checksum, the key. The checksum is no secret and needs none: a token only
// says where in the caller's own list to go on. It tells a damaged token, or one of another list, from a good one.
constexpr char version = 1;
constexpr size_t checksum_size = 8;
constexpr size_t key_limit = 2048;

std::string checksum(std::string_view list, std::string_view key) {
  const auto digest = sha256(fmt::format("{}\n{}", list, key));
  return std::string(std::string_view(digest).substr(0, checksum_size));
}

std::string make_token(std::string_view list, std::string_view key) {
  return to_base64(fmt::format("{}{}{}", version, checksum(list, key), key));
}

std::string read_token(std::string_view list, std::string_view token) {
  const wire::ApiError invalid(400, "InvalidNextToken", "The specified NextToken is not valid.");
  if (token.size() > key_limit * 2) throw invalid;
  const auto bytes = from_base64(token);
  if (!bytes || bytes->size() <= 1 + checksum_size || bytes->front() != version) throw invalid;
  auto key = bytes->substr(1 + checksum_size);
  if (bytes->substr(1, checksum_size) != checksum(list, key)) throw invalid;
  return key;
}

}  // namespace

Page::Page(std::string_view list, const std::optional<std::int64_t>& max_results, const std::optional<std::string>& next_token,
           PageLimits limits)
    : list_(list) {
  if (max_results) {
    if (*max_results < limits.least)
      throw wire::invalid_parameter_value(fmt::format(
          "Value ( {} ) for parameter maxResults is invalid. Expecting a value greater than or equal to {}.", *max_results, limits.least));
    if (*max_results > limits.most)
      throw wire::invalid_parameter_value(fmt::format(
          "Value ( {} ) for parameter maxResults is invalid. Expecting a value less than or equal to {}.", *max_results, limits.most));
    limited_ = true;
    room_ = *max_results;
  }
  if (next_token && !next_token->empty()) after_ = read_token(list_, *next_token);
}

bool Page::take(std::string_view key) {
  if (full()) {
    more_ = true;
    return false;
  }
  ++taken_;
  last_ = key;
  return true;
}

std::optional<std::string> Page::next_token() const {
  if (!more_) return std::nullopt;
  return make_token(list_, last_);
}

}  // namespace brume::ec2
