#include "ec2/common/paging.hpp"

#include <fmt/format.h>

#include "base/crypto.hpp"
#include "base/text.hpp"
#include "wire/api_error.hpp"

namespace brume::ec2 {

namespace {

// A token is base64 of: one byte of version, the HMAC's bytes, the key.
constexpr char version = 2;
constexpr size_t mac_size = 32;
constexpr size_t key_limit = 2048;

std::string mac(std::string_view secret, std::string_view scope, std::string_view key) {
  const auto digest = hmac_sha256(secret, fmt::format("NextToken\n{}\n{}", scope, key));
  return std::string(std::string_view(digest));
}

std::string make_token(std::string_view secret, std::string_view scope, std::string_view key) {
  return to_base64(fmt::format("{}{}{}", version, mac(secret, scope, key), key));
}

std::string read_token(std::string_view secret, std::string_view scope, std::string_view token) {
  const wire::ApiError invalid(400, "InvalidNextToken", "The specified NextToken is not valid.");
  if (token.size() > key_limit * 2) throw invalid;
  const auto bytes = from_base64(token);
  if (!bytes || bytes->size() <= 1 + mac_size || bytes->front() != version) throw invalid;
  auto key = bytes->substr(1 + mac_size);
  if (!constant_time_equal(std::string_view(*bytes).substr(1, mac_size), mac(secret, scope, key))) throw invalid;
  return key;
}

}  // namespace

Page::Page(const service::Context& context, std::string_view list, const std::optional<std::int64_t>& max_results,
           const std::optional<std::string>& next_token, PageLimits limits)
    : Page(context.services.token_key, fmt::format("{}\n{}", context.account(), list), max_results, next_token, limits) {}

Page::Page(std::string_view secret, std::string scope, const std::optional<std::int64_t>& max_results,
           const std::optional<std::string>& next_token, PageLimits limits)
    : secret_(secret), scope_(std::move(scope)) {
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
  if (next_token && !next_token->empty()) after_ = read_token(secret_, scope_, *next_token);
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
  return make_token(secret_, scope_, last_);
}

std::string token_key(state::Store& store) {
  constexpr std::string_view name = "token-key";
  std::string key;
  store.transact([&](state::Transaction& transaction) {
    if (const auto* kept = transaction.find<state::Setting>(name)) {
      key = kept->value;
      return;
    }
    key = transaction.random().hex(64);
    transaction.put(state::Setting{std::string(name), key});
  });
  return key;
}

}  // namespace brume::ec2
