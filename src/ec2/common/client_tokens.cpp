#include "ec2/common/client_tokens.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/crypto.hpp"
#include "base/text.hpp"
#include "wire/api_error.hpp"

namespace brume::ec2 {
namespace {

using service::Context;

constexpr size_t token_limit = 64;
constexpr auto kept = std::chrono::hours(24);  // after the last of its instances is gone from the state
constexpr int swept_per_token = 4;

std::string name_of(std::string_view action, const std::string& token) { return fmt::format("{}:{}", action, token); }

// Parameters that may differ between a request and its repetition: how it is addressed and signed.
bool is_of_the_sending(std::string_view name) {
  static constexpr std::array<std::string_view, 11> names = {"Action",          "Version",          "AWSAccessKeyId", "Signature",
                                                             "SignatureMethod", "SignatureVersion", "Timestamp",      "Expires",
                                                             "SecurityToken",   "ClientToken",      "DryRun"};
  return std::find(names.begin(), names.end(), name) != names.end() || equals_ignoring_case(name.substr(0, 6), "X-Amz-");
}

std::string digest_of(const Context& context) {
  // A caller from inside has no parameters: its token alone identifies the request.
  if (context.parameters == nullptr) return {};
  std::vector<const std::pair<std::string, std::string>*> pairs;
  for (const auto& pair : context.parameters->pairs())
    if (!is_of_the_sending(pair.first)) pairs.push_back(&pair);
  std::sort(pairs.begin(), pairs.end(), [](const auto* a, const auto* b) { return *a < *b; });
  std::string text;
  // With the lengths, so that no two requests produce the same text.
  for (const auto* pair : pairs) text += fmt::format("{}:{}={}:{};", pair->first.size(), pair->first, pair->second.size(), pair->second);
  return to_hex(sha256(text));
}

bool has_instances(const state::World& world, const std::string& reservation_id) {
  bool found = false;
  world.each_indexed<state::Instance>(state::Index::instance_by_reservation, reservation_id, [&](const state::Instance&) { found = true; });
  return found;
}

bool has_live_instances(const state::World& world, const std::string& reservation_id) {
  bool found = false;
  world.each_indexed<state::Instance>(state::Index::instance_by_reservation, reservation_id, [&](const state::Instance& instance) {
    if (instance.state != state::InstanceState::terminated) found = true;
  });
  return found;
}

bool is_over(const state::World& world, const state::ClientToken& token, Time now) {
  return now - token.created >= kept && !has_instances(world, token.resource_id);
}

// Tokens are distributed like random numbers. So checking a few at each new one removes old ones without ever walking all.
void sweep(state::Transaction& transaction, const std::string& account, const std::string& after) {
  std::vector<std::string> over;
  int looked_at = 0;
  transaction.world().each_of<state::ClientToken>(
      account,
      [&](const state::ClientToken& token) {
        if (is_over(transaction.world(), token, transaction.now())) over.push_back(token.key());
        return ++looked_at < swept_per_token;
      },
      after);
  for (const auto& key : over) transaction.erase<state::ClientToken>(key);
}

}  // namespace

std::string find_made(state::Transaction& transaction, const Context& context, std::string_view action, const std::string& token) {
  if (token.empty()) return {};
  if (token.size() > token_limit) throw wire::invalid_parameter_value("ClientToken is limited to 64 characters");
  const auto* seen = transaction.find<state::ClientToken>(context.account(), name_of(action, token));
  if (seen == nullptr || is_over(transaction.world(), *seen, transaction.now())) return {};
  if (seen->parameters != digest_of(context))
    throw wire::ApiError(400, "IdempotentParameterMismatch",
                         "The request uses the same client token as a previous, but non-identical request.");
  return seen->resource_id;
}

void remember_made(state::Transaction& transaction, const Context& context, std::string_view action, const std::string& token,
                   const std::string& resource_id) {
  if (token.empty()) return;
  sweep(transaction, context.account(), name_of(action, token));
  transaction.put(state::ClientToken{context.account(), name_of(action, token), digest_of(context), resource_id, transaction.now()});
}

std::string find_launched(state::Transaction& transaction, const Context& context, const std::string& token) {
  auto reservation_id = find_made(transaction, context, "RunInstances", token);
  if (!reservation_id.empty() && !has_live_instances(transaction.world(), reservation_id))
    throw wire::ApiError(
        400, "IdempotentInstanceTerminated",
        "The request to launch an instance uses the same client token as a previous request for which the instance has been terminated.");
  return reservation_id;
}

void remember_launched(state::Transaction& transaction, const Context& context, const std::string& token,
                       const std::string& reservation_id) {
  remember_made(transaction, context, "RunInstances", token, reservation_id);
}

}  // namespace brume::ec2
