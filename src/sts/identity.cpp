#include "sts/identity.hpp"

#include "wire/sts/identity.hpp"

namespace brume::sts {
namespace {

wire::sts::GetCallerIdentityResponse get_caller_identity(const state::World&, const service::Context& context,
                                                         const wire::sts::GetCallerIdentityRequest&) {
  wire::sts::GetCallerIdentityResponse response;
  response.account = context.account();
  response.arn = context.caller.user_arn;
  // The account's own keys belong to its root, whose id is the account's.
  response.user_id = context.account();
  return response;
}

}  // namespace

service::ServiceTable make_service() {
  return service::make_table("sts", {service::read_action<wire::sts::GetCallerIdentityRequest>("GetCallerIdentity", get_caller_identity)});
}

}  // namespace brume::sts
