// Whether an account's new volumes are encrypted by default, and with which key. There is no key management service: each account has only
// the key that EC2 gives it by itself, alias/aws/ebs. Behind it is the installation's own key, which seals the key of each volume.
#include <fmt/format.h>

#include "base/crypto.hpp"
#include "base/text.hpp"
#include "domain/arns.hpp"
#include "ec2/actions.hpp"
#include "ec2/storage/snapshots.hpp"
#include "wire/ec2/ebs_encryption.hpp"

namespace brume::ec2 {
namespace {

using service::Context;

bool set_default(state::Transaction& transaction, const Context& context, bool encrypted) {
  auto defaults = storage_defaults(transaction.world(), context.account());
  defaults.encrypt_by_default = encrypted;
  transaction.put(std::move(defaults));
  return encrypted;
}

wire::ec2::EnableEbsEncryptionByDefaultResponse enable(state::Transaction& transaction, const Context& context,
                                                       const wire::ec2::EnableEbsEncryptionByDefaultRequest&) {
  wire::ec2::EnableEbsEncryptionByDefaultResponse response;
  response.ebs_encryption_by_default = set_default(transaction, context, true);
  return response;
}

wire::ec2::DisableEbsEncryptionByDefaultResponse disable(state::Transaction& transaction, const Context& context,
                                                         const wire::ec2::DisableEbsEncryptionByDefaultRequest&) {
  wire::ec2::DisableEbsEncryptionByDefaultResponse response;
  response.ebs_encryption_by_default = set_default(transaction, context, false);
  return response;
}

wire::ec2::GetEbsEncryptionByDefaultResponse get(const state::World& world, const Context& context,
                                                 const wire::ec2::GetEbsEncryptionByDefaultRequest&) {
  wire::ec2::GetEbsEncryptionByDefaultResponse response;
  response.ebs_encryption_by_default = storage_defaults(world, context.account()).encrypt_by_default;
  return response;
}

constexpr std::string_view default_alias = "alias/aws/ebs";

std::string alias_arn(const Context& context) {
  const auto& settings = context.services.settings;
  return domain::arn_of(settings.partition, "kms", settings.region, context.account(), default_alias);
}

// In the form of a UUID, like ids of keys.
std::string key_id(const Context& context, const std::string& account) {
  auto digits = to_hex(sha256("aws/ebs " + context.services.settings.region + " " + account)).substr(0, 32);
  digits[12] = '4';
  digits[16] = 'a';
  return fmt::format("{}-{}-{}-{}-{}", digits.substr(0, 8), digits.substr(8, 4), digits.substr(12, 4), digits.substr(16, 4),
                     digits.substr(20));
}

wire::ApiError no_such_key(const std::string& key) {
  return wire::invalid_parameter_value(
      fmt::format("Value ({}) for parameter KmsKeyId is invalid. There is no such key: an account has alias/aws/ebs and no other.", key));
}

wire::ec2::GetEbsDefaultKmsKeyIdResponse get_key(const state::World&, const Context&, const wire::ec2::GetEbsDefaultKmsKeyIdRequest&) {
  wire::ec2::GetEbsDefaultKmsKeyIdResponse response;
  response.kms_key_id = default_alias;
  return response;
}

// Choosing the only one changes nothing.
wire::ec2::ModifyEbsDefaultKmsKeyIdResponse modify_key(const state::World&, const Context& context,
                                                       const wire::ec2::ModifyEbsDefaultKmsKeyIdRequest& request) {
  if (!is_account_key(context, *request.kms_key_id)) throw no_such_key(*request.kms_key_id);
  wire::ec2::ModifyEbsDefaultKmsKeyIdResponse response;
  response.kms_key_id = key_arn(context, context.account());
  return response;
}

wire::ec2::ResetEbsDefaultKmsKeyIdResponse reset_key(const state::World&, const Context&,
                                                     const wire::ec2::ResetEbsDefaultKmsKeyIdRequest&) {
  wire::ec2::ResetEbsDefaultKmsKeyIdResponse response;
  response.kms_key_id = default_alias;
  return response;
}

}  // namespace

std::string key_arn(const Context& context, const std::string& account) {
  const auto& settings = context.services.settings;
  return domain::arn_of(settings.partition, "kms", settings.region, account, "key/" + key_id(context, account));
}

bool is_account_key(const Context& context, const std::string& key) {
  return key == default_alias || key == alias_arn(context) || key == key_id(context, context.account()) ||
         key == key_arn(context, context.account());
}

void check_key(const Context& context, const std::optional<std::string>& key, bool encrypted) {
  if (!key || key->empty()) return;
  if (!encrypted)
    throw wire::ApiError(400, "InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set.");
  if (!is_account_key(context, *key)) throw no_such_key(*key);
}

std::vector<service::Action> ebs_encryption_actions() {
  using namespace wire::ec2;
  return {
      service::write_action<EnableEbsEncryptionByDefaultRequest>("EnableEbsEncryptionByDefault", enable),
      service::write_action<DisableEbsEncryptionByDefaultRequest>("DisableEbsEncryptionByDefault", disable),
      service::read_action<GetEbsEncryptionByDefaultRequest>("GetEbsEncryptionByDefault", get),
      service::read_action<GetEbsDefaultKmsKeyIdRequest>("GetEbsDefaultKmsKeyId", get_key),
      service::read_action<ModifyEbsDefaultKmsKeyIdRequest>("ModifyEbsDefaultKmsKeyId", modify_key),
      service::read_action<ResetEbsDefaultKmsKeyIdRequest>("ResetEbsDefaultKmsKeyId", reset_key),
  };
}

}  // namespace brume::ec2
