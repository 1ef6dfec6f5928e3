// Whether an account's new volumes are encrypted without being asked for. There is one key, the installation's own, which seals the key of
// each volume; EC2's name for the key that an account has without making one is alias/aws/ebs.
#include "wire/ec2/ebs_encryption.hpp"
#include "ec2/actions.hpp"
#include "ec2/snapshots.hpp"

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

wire::ec2::GetEbsDefaultKmsKeyIdResponse get_key(const state::World&, const Context&, const wire::ec2::GetEbsDefaultKmsKeyIdRequest&) {
  wire::ec2::GetEbsDefaultKmsKeyIdResponse response;
  response.kms_key_id = default_key;
  return response;
}

}  // namespace

void check_key(const std::optional<std::string>& key, bool encrypted) {
  if (!key || key->empty()) return;
  if (!encrypted)
    throw wire::ApiError(400, "InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set.");
  if (*key != default_key)
    throw wire::unsupported_operation("There is no key management service here: volumes are encrypted under the installation's own key.");
}

std::vector<service::Action> ebs_encryption_actions() {
  using namespace wire::ec2;
  return {
      service::write_action<EnableEbsEncryptionByDefaultRequest>("EnableEbsEncryptionByDefault", enable),
      service::write_action<DisableEbsEncryptionByDefaultRequest>("DisableEbsEncryptionByDefault", disable),
      service::read_action<GetEbsEncryptionByDefaultRequest>("GetEbsEncryptionByDefault", get),
      service::read_action<GetEbsDefaultKmsKeyIdRequest>("GetEbsDefaultKmsKeyId", get_key),
  };
}

}  // namespace brume::ec2
