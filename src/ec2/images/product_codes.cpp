#include "ec2/images/product_codes.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "ec2/common/resource_ids.hpp"
#include "wire/api_error.hpp"
#include "wire/ec2/product_codes.hpp"

namespace brume::ec2 {
namespace {

using service::Context;

// The caller's own instance, or anybody's that was launched from an image of the caller's.
const state::Instance& find_customer(const state::World& world, const Context& context, const std::string& id) {
  check_id("i", "InstanceID", id);
  const auto* instance = world.find_indexed<state::Instance>(state::Index::instance_by_id, id);
  if (instance == nullptr || (instance->account != context.account() && instance->image_account != context.account()))
    throw ids_not_found("InstanceID", "instance", {id});
  return *instance;
}

// AMI-079, OPS-116: true of an instance that runs, for the owner of the image that has the code.
wire::ec2::ConfirmProductInstanceResponse confirm_product_instance(const state::World& world, const Context& context,
                                                                   const wire::ec2::ConfirmProductInstanceRequest& request) {
  const auto& instance = find_customer(world, context, *request.instance_id);
  const auto& codes = instance.product_codes;
  wire::ec2::ConfirmProductInstanceResponse response;
  response.return_ = instance.image_account == context.account() && instance.state == state::InstanceState::running &&
                     std::find(codes.begin(), codes.end(), *request.product_code) != codes.end();
  if (*response.return_) response.owner_id = instance.account;
  return response;
}

}  // namespace

bool is_product_code(std::string_view text) {
  return text.size() == 8 && std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); });
}

void check_subscription(const state::World& world, const Context& context, const state::Image& image) {
  if (image.account == context.account()) return;
  const auto* account = world.find<state::Account>(context.account());
  for (const auto& code : image.product_codes)
    if (account == nullptr || std::find(account->products.begin(), account->products.end(), code) == account->products.end())
      throw wire::ApiError(
          401, "OptInRequired",
          fmt::format("You are not subscribed to the product '{}' of the image '{}'. Sign up with its seller; the operator "
                      "of this cloud records it.",
                      code, image.id));
}

std::vector<wire::ec2::ProductCode> show_product_codes(const std::vector<std::string>& codes) {
  std::vector<wire::ec2::ProductCode> shown;
  for (const auto& code : codes) {
    auto& item = shown.emplace_back();
    item.product_code_id = code;
    item.product_code_type = std::string(product_code_type);
  }
  return shown;
}

std::vector<service::Action> product_code_actions() {
  return {service::read_action<wire::ec2::ConfirmProductInstanceRequest>("ConfirmProductInstance", confirm_product_instance)};
}

}  // namespace brume::ec2
