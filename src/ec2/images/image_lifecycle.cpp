// What an owner can do with an image between registering and deregistering it: deprecate, disable, protect, keep private.
#include <fmt/format.h>

#include "ec2/images/images.hpp"
#include "wire/ec2/images.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::Image;

constexpr auto cooldown = std::chrono::hours(24);
constexpr auto deprecation_limit = std::chrono::years(10);        // from now
constexpr auto public_deprecation_limit = std::chrono::years(2);  // from the creation of a public image

// ----- deprecation

wire::ec2::EnableImageDeprecationResponse enable_image_deprecation(state::Transaction& transaction, const Context& context,
                                                                   const wire::ec2::EnableImageDeprecationRequest& request) {
  auto image = find_own_image(transaction.world(), context.account(), *request.image_id);
  const auto at = std::chrono::round<std::chrono::minutes>(*request.deprecate_at);
  if (at < context.now - std::chrono::minutes(1)) throw wire::invalid_parameter_value("DeprecateAt must be in the future.");
  if (at > context.now + deprecation_limit) throw wire::invalid_parameter_value("DeprecateAt must be within 10 years from now.");
  if (image.is_public && at > image.created + public_deprecation_limit)
    throw wire::invalid_parameter_value("DeprecateAt of a public image must be within 2 years from its creation.");
  image.deprecated = at;
  transaction.put(std::move(image));
  return {};
}

wire::ec2::DisableImageDeprecationResponse disable_image_deprecation(state::Transaction& transaction, const Context& context,
                                                                     const wire::ec2::DisableImageDeprecationRequest& request) {
  auto image = find_own_image(transaction.world(), context.account(), *request.image_id);
  image.deprecated = {};
  transaction.put(std::move(image));
  return {};
}

// ----- disabling

Image find_machine_image(const state::World& world, const Context& context, const std::string& id) {
  auto image = find_own_image(world, context.account(), id);
  if (image.type != "machine") throw wire::invalid_parameter_value(fmt::format("'{}' is not a machine image", id));
  if (image.state != state::ImageState::available && image.state != state::ImageState::disabled)
    throw wire::ApiError(400, "InvalidAMIID.Unavailable", fmt::format("The image ID '{}' is not available", id));
  return image;
}

// Only the owner can use it from now on, even after it is enabled again.
wire::ec2::DisableImageResponse disable_image(state::Transaction& transaction, const Context& context,
                                              const wire::ec2::DisableImageRequest& request) {
  auto image = find_machine_image(transaction.world(), context, *request.image_id);
  image.state = state::ImageState::disabled;
  image.is_public = false;
  image.launch_accounts.clear();
  transaction.put(std::move(image));
  return {};
}

wire::ec2::EnableImageResponse enable_image(state::Transaction& transaction, const Context& context,
                                            const wire::ec2::EnableImageRequest& request) {
  auto image = find_machine_image(transaction.world(), context, *request.image_id);
  image.state = state::ImageState::available;
  transaction.put(std::move(image));
  return {};
}

// ----- deregistration protection

wire::ec2::EnableImageDeregistrationProtectionResponse enable_protection(
    state::Transaction& transaction, const Context& context, const wire::ec2::EnableImageDeregistrationProtectionRequest& request) {
  auto image = find_own_image(transaction.world(), context.account(), *request.image_id);
  image.deregistration_protection = request.with_cooldown.value_or(false) ? "enabled-with-cooldown" : "enabled-without-cooldown";
  image.protected_until = {};
  transaction.put(std::move(image));
  return {};
}

wire::ec2::DisableImageDeregistrationProtectionResponse disable_protection(
    state::Transaction& transaction, const Context& context, const wire::ec2::DisableImageDeregistrationProtectionRequest& request) {
  auto image = find_own_image(transaction.world(), context.account(), *request.image_id);
  if (image.deregistration_protection == "enabled-with-cooldown") image.protected_until = context.now + cooldown;
  image.deregistration_protection = "disabled";
  transaction.put(std::move(image));
  return {};
}

// ----- block public access

bool is_public_sharing_blocked(const state::World& world, const std::string& account) {
  const auto* defaults = world.find<state::ImageDefaults>(account, "images");
  return defaults != nullptr && defaults->blocks_public_sharing;
}

wire::ec2::EnableImageBlockPublicAccessResponse block_public_access(state::Transaction& transaction, const Context& context,
                                                                    const wire::ec2::EnableImageBlockPublicAccessRequest& request) {
  const auto& wanted = *request.image_block_public_access_state;
  if (wanted != "block-new-sharing")
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter imageBlockPublicAccessState is invalid. Valid values are: block-new-sharing.", wanted));
  transaction.put(state::ImageDefaults{context.account(), true});
  wire::ec2::EnableImageBlockPublicAccessResponse response;
  response.image_block_public_access_state = wanted;
  return response;
}

wire::ec2::DisableImageBlockPublicAccessResponse unblock_public_access(state::Transaction& transaction, const Context& context,
                                                                       const wire::ec2::DisableImageBlockPublicAccessRequest&) {
  transaction.put(state::ImageDefaults{context.account(), false});
  wire::ec2::DisableImageBlockPublicAccessResponse response;
  response.image_block_public_access_state = "unblocked";
  return response;
}

wire::ec2::GetImageBlockPublicAccessStateResponse get_block_public_access(const state::World& world, const Context& context,
                                                                          const wire::ec2::GetImageBlockPublicAccessStateRequest&) {
  wire::ec2::GetImageBlockPublicAccessStateResponse response;
  response.image_block_public_access_state = is_public_sharing_blocked(world, context.account()) ? "block-new-sharing" : "unblocked";
  response.managed_by = "account";
  return response;
}

}  // namespace

void check_public_sharing(const state::World& world, const std::string& account) {
  if (is_public_sharing_blocked(world, account))
    throw wire::ApiError(400, "OperationNotPermitted",
                         "You can't publicly share this image because block public access for AMIs is enabled for this account.");
}

std::vector<service::Action> image_lifecycle_actions() {
  using namespace wire::ec2;
  return {
      service::write_action<EnableImageDeprecationRequest>("EnableImageDeprecation", enable_image_deprecation),
      service::write_action<DisableImageDeprecationRequest>("DisableImageDeprecation", disable_image_deprecation),
      service::write_action<EnableImageRequest>("EnableImage", enable_image),
      service::write_action<DisableImageRequest>("DisableImage", disable_image),
      service::write_action<EnableImageDeregistrationProtectionRequest>("EnableImageDeregistrationProtection", enable_protection),
      service::write_action<DisableImageDeregistrationProtectionRequest>("DisableImageDeregistrationProtection", disable_protection),
      service::write_action<EnableImageBlockPublicAccessRequest>("EnableImageBlockPublicAccess", block_public_access),
      service::write_action<DisableImageBlockPublicAccessRequest>("DisableImageBlockPublicAccess", unblock_public_access),
      service::read_action<GetImageBlockPublicAccessStateRequest>("GetImageBlockPublicAccessState", get_block_public_access),
  };
}

}  // namespace brume::ec2
