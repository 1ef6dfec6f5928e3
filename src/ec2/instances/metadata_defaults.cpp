// GetInstanceMetadataDefaults and ModifyInstanceMetadataDefaults.
#include "ec2/instances/metadata_defaults.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "wire/ec2/metadata_defaults.hpp"

namespace brume::ec2 {
namespace {

using service::Context;

constexpr std::string_view options[] = {"tokens", "endpoint", "tags", "enforced", "hop-limit"};
constexpr std::string_view no_preference = "no-preference";

// One setting per account and option, which exists only while something is preferred.
std::string setting_name(std::string_view option, std::string_view account) { return fmt::format("metadata-{}/{}", option, account); }

std::optional<std::string> preferred(const state::World& world, std::string_view option, std::string_view account) {
  const auto* setting = world.find<state::Setting>(setting_name(option, account));
  if (setting == nullptr) return std::nullopt;
  return setting->value;
}

void prefer(state::Transaction& transaction, std::string_view option, const std::string& account, std::string_view value) {
  if (value == no_preference)
    transaction.erase<state::Setting>(setting_name(option, account));
  else
    transaction.put(state::Setting{setting_name(option, account), std::string(value)});
}

void prefer_one_of(state::Transaction& transaction, const Context& context, std::string_view option, std::string_view parameter,
                   const std::optional<std::string>& value, std::string_view a, std::string_view b) {
  if (!value) return;
  if (*value != a && *value != b && *value != no_preference)
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter {} is invalid. It is one of [{}, {}, no-preference].", *value, parameter, a, b));
  prefer(transaction, option, context.account(), *value);
}

service::Done modify_defaults(state::Transaction& transaction, const Context& context,
                              const wire::ec2::ModifyInstanceMetadataDefaultsRequest& request) {
  if (!request.http_tokens && !request.http_put_response_hop_limit && !request.http_endpoint && !request.instance_metadata_tags &&
      !request.http_tokens_enforced)
    throw wire::invalid_parameter_combination("At least one metadata option has to be specified.");
  prefer_one_of(transaction, context, "tokens", "HttpTokens", request.http_tokens, "optional", "required");
  prefer_one_of(transaction, context, "endpoint", "HttpEndpoint", request.http_endpoint, "enabled", "disabled");
  prefer_one_of(transaction, context, "tags", "InstanceMetadataTags", request.instance_metadata_tags, "enabled", "disabled");
  prefer_one_of(transaction, context, "enforced", "HttpTokensEnforced", request.http_tokens_enforced, "enabled", "disabled");
  if (const auto& limit = request.http_put_response_hop_limit) {
    if (*limit != -1 && (*limit < 1 || *limit > 64))
      throw wire::invalid_parameter_value("HttpPutResponseHopLimit must be between 1 and 64, or -1 for no preference.");
    prefer(transaction, "hop-limit", context.account(), *limit == -1 ? std::string(no_preference) : std::to_string(*limit));
  }
  if (request.http_tokens_enforced == "enabled")
    throw wire::unsupported_operation("HttpTokensEnforced is not supported: set HttpTokens to required, which launches may override.");
  return {};
}

wire::ec2::GetInstanceMetadataDefaultsResponse get_defaults(const state::World& world, const Context& context,
                                                            const wire::ec2::GetInstanceMetadataDefaultsRequest&) {
  wire::ec2::GetInstanceMetadataDefaultsResponse response;
  auto& shown = response.account_level.emplace();
  shown.http_tokens = preferred(world, "tokens", context.account());
  shown.http_endpoint = preferred(world, "endpoint", context.account());
  shown.instance_metadata_tags = preferred(world, "tags", context.account());
  shown.http_tokens_enforced = preferred(world, "enforced", context.account());
  if (const auto limit = preferred(world, "hop-limit", context.account())) shown.http_put_response_hop_limit = parse_integer(*limit);
  shown.managed_by = "account";
  return response;
}

}  // namespace

void apply_metadata_defaults(const state::World& world, state::Instance& instance) {
  if (const auto tokens = preferred(world, "tokens", instance.account)) instance.metadata_tokens_required = *tokens == "required";
  if (const auto endpoint = preferred(world, "endpoint", instance.account)) instance.metadata_enabled = *endpoint == "enabled";
  if (const auto tags = preferred(world, "tags", instance.account)) instance.metadata_tags = *tags == "enabled";
  if (const auto limit = preferred(world, "hop-limit", instance.account))
    instance.metadata_hop_limit = parse_integer(*limit).value_or(instance.metadata_hop_limit);
}

void erase_metadata_defaults(state::Transaction& transaction, const std::string& account) {
  for (const auto option : options) prefer(transaction, option, account, no_preference);
}

std::vector<service::Action> metadata_default_actions() {
  using namespace wire::ec2;
  return {
      service::write_action<ModifyInstanceMetadataDefaultsRequest>("ModifyInstanceMetadataDefaults", modify_defaults),
      service::read_action<GetInstanceMetadataDefaultsRequest>("GetInstanceMetadataDefaults", get_defaults),
  };
}

}  // namespace brume::ec2
