#include "service/callers.hpp"

#include "domain/arns.hpp"
#include "wire/api_error.hpp"
#include "wire/identity/signature.hpp"

namespace brume::service {
namespace {

constexpr std::string_view any_keys_account = "123456789012";

std::string root_of(const Services& services, std::string_view account) { return domain::root_arn(services.settings.partition, account); }

class AnyKey final : public wire::Identity {
 public:
  explicit AnyKey(const Services& services) : services_(services), lookup_(credentials_of(services)) {}

  std::optional<wire::Caller> identify(const wire::Evidence& evidence) const override {
    auto caller = wire::claimed_caller(evidence.request, evidence.parameters);
    const auto credential = lookup_(caller.access_key_id);
    if (credential && !credential->active) throw wire::auth_failure("The account or its access key is disabled.");
    caller.account_id = credential ? credential->account_id : std::string(any_keys_account);
    caller.user_arn = root_of(services_, caller.account_id);
    return caller;
  }

 private:
  const Services& services_;
  wire::CredentialLookup lookup_;
};

}  // namespace

wire::CredentialLookup credentials_of(const Services& services) {
  return [&services](std::string_view access_key_id) -> std::optional<wire::Credential> {
    const auto world = services.store.world();
    const auto* key = world->find<state::AccessKey>(access_key_id);
    if (key == nullptr) return std::nullopt;
    const auto* account = world->find<state::Account>(key->account);
    wire::Credential credential;
    credential.access_key_id = key->id;
    credential.secret = key->secret;
    credential.account_id = key->account;
    credential.user_arn = root_of(services, key->account);
    credential.active = key->active && account != nullptr && account->enabled;
    return credential;
  };
}

wire::Identities make_identities(const Services& services, bool simulated) {
  if (!simulated) return wire::signatures(services.clock, credentials_of(services));
  wire::Identities any;
  any.push_back(std::make_unique<AnyKey>(services));
  return any;
}

}  // namespace brume::service
