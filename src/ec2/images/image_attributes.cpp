// The attributes of an image that its owner reads and changes one at a time (AMI-084 ff., INS-069).
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "ec2/images/images.hpp"
#include "ec2/images/product_codes.hpp"
#include "wire/ec2/images.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::Image;
using wire::ec2::ModifyImageAttributeRequest;

wire::ApiError invalid_attribute(std::string_view name) {
  return wire::invalid_parameter_value(fmt::format("Value ({}) for parameter attribute is invalid. Unknown attribute.", name));
}

// ----- describing

wire::ec2::AttributeValue value_of(const std::string& text) {
  wire::ec2::AttributeValue value;
  if (!text.empty()) value.value = text;
  return value;
}

void describe_launch_permissions(wire::ec2::DescribeImageAttributeResponse& response, const Image& image) {
  auto& permissions = response.launch_permissions.emplace();
  if (image.is_public) permissions.emplace_back().group = "all";
  for (const auto& account : image.launch_accounts) permissions.emplace_back().user_id = account;
}

wire::ec2::DescribeImageAttributeResponse describe_image_attribute(const state::World& world, const Context& context,
                                                                   const wire::ec2::DescribeImageAttributeRequest& request) {
  const auto& image = find_own_image(world, context.account(), *request.image_id);
  const auto& name = *request.attribute;
  wire::ec2::DescribeImageAttributeResponse response;
  response.image_id = image.id;
  if (name == "description") {
    response.description = value_of(image.description);
  } else if (name == "kernel") {
    response.kernel_id = value_of(image.kernel_id);
  } else if (name == "ramdisk") {
    response.ramdisk_id = value_of(image.ramdisk_id);
  } else if (name == "launchPermission") {
    describe_launch_permissions(response, image);
  } else if (name == "productCodes") {
    response.product_codes = show_product_codes(image.product_codes);
  } else if (name == "blockDeviceMapping") {
    // Today's EC2 has withdrawn this attribute: the mappings are in DescribeImages.
    if (!context.is_2011()) throw wire::ApiError(400, "AuthFailure", "Unauthorized attempt to access restricted resource");
    response.block_device_mappings = show_block_devices(image);
  } else if (context.is_2011()) {
    throw invalid_attribute(name);
  } else if (name == "sriovNetSupport") {
    response.sriov_net_support = value_of(image.sriov_net_support);
  } else if (name == "bootMode") {
    response.boot_mode = value_of(image.boot_mode);
  } else if (name == "tpmSupport") {
    response.tpm_support = value_of({});  // RegisterImage refuses both
  } else if (name == "uefiData") {
    response.uefi_data = value_of({});
  } else if (name == "lastLaunchedTime") {
    response.last_launched_time = value_of(image.last_launched == Time{} ? std::string() : format_iso8601(image.last_launched));
  } else if (name == "imdsSupport") {
    response.imds_support = value_of(image.imds_support);
  } else if (name == "deregistrationProtection") {
    response.deregistration_protection = value_of(image.deregistration_protection);
  } else {
    throw invalid_attribute(name);
  }
  return response;
}

// ----- changing

struct Permissions {
  std::vector<std::string> users;
  std::vector<std::string> groups;
  bool empty() const { return users.empty() && groups.empty(); }
};

struct PermissionChange {
  Permissions add;
  Permissions remove;
  bool names_organizations = false;
};

Permissions read_permissions(const std::vector<wire::ec2::LaunchPermission>& asked, bool& names_organizations) {
  Permissions permissions;
  for (const auto& permission : asked) {
    if (permission.organization_arn || permission.organizational_unit_arn) {
      names_organizations = true;
      continue;
    }
    if (permission.user_id.has_value() == permission.group.has_value())
      throw wire::invalid_parameter_combination("A launch permission is either a user or a group.");
    if (permission.user_id)
      permissions.users.push_back(*permission.user_id);
    else
      permissions.groups.push_back(*permission.group);
  }
  return permissions;
}

// Both forms: LaunchPermission.Add.1.UserId, and OperationType=add with UserId.1 and UserGroup.1.
PermissionChange read_permission_change(const ModifyImageAttributeRequest& request) {
  PermissionChange change;
  change.names_organizations = !request.organization_arns.empty() || !request.organizational_unit_arns.empty();
  const bool old_style = change.names_organizations || !request.user_ids.empty() || !request.user_groups.empty();
  if (request.launch_permission) {
    if (old_style || request.operation_type)
      throw wire::invalid_parameter_combination("The parameter LaunchPermission cannot be used with OperationType, UserId and UserGroup.");
    change.add = read_permissions(request.launch_permission->add, change.names_organizations);
    change.remove = read_permissions(request.launch_permission->remove, change.names_organizations);
    return change;
  }
  if (!request.operation_type) throw wire::missing_parameter("OperationType");
  if (!old_style) throw wire::missing_parameter("UserId");
  if (*request.operation_type != "add" && *request.operation_type != "remove")
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter operationType is invalid. Valid values are: add, remove.", *request.operation_type));
  (*request.operation_type == "add" ? change.add : change.remove) = {request.user_ids, request.user_groups};
  return change;
}

void check_permissions(const Permissions& permissions) {
  const auto is_account = [](const std::string& text) {
    return text.size() == 12 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  for (const auto& user : permissions.users)
    if (!is_account(user))
      throw wire::ApiError(400, "InvalidAMIAttributeItemValue",
                           fmt::format("Invalid attribute item value \"{}\" for userId item type.", user));
  for (const auto& group : permissions.groups)
    if (group != "all")
      throw wire::ApiError(400, "InvalidAMIAttributeItemValue",
                           fmt::format("Invalid attribute item value \"{}\" for group item type.", group));
}

// Adding what exists and removing what does not is accepted.
void change_permissions(const state::World& world, Image& image, const PermissionChange& change) {
  if (change.add.empty() && change.remove.empty() && !change.names_organizations)
    throw wire::invalid_parameter_combination("No attributes specified.");
  check_permissions(change.add);
  check_permissions(change.remove);
  if (!change.add.empty() && image.state == state::ImageState::disabled)
    throw wire::ApiError(400, "InvalidAMIID.Unavailable", fmt::format("The image ID '{}' is disabled and cannot be shared", image.id));
  if (!change.add.groups.empty() && !image.is_public) check_public_sharing(world, image.account);
  if (change.names_organizations)
    throw wire::unsupported_operation("There are no organizations here: share an image with accounts, or with everybody.");
  if (!change.add.groups.empty()) image.is_public = true;
  if (!change.remove.groups.empty()) image.is_public = false;
  auto& accounts = image.launch_accounts;
  accounts.insert(accounts.end(), change.add.users.begin(), change.add.users.end());
  std::sort(accounts.begin(), accounts.end());
  accounts.erase(std::unique(accounts.begin(), accounts.end()), accounts.end());
  std::erase_if(accounts, [&](const std::string& account) {
    return std::find(change.remove.users.begin(), change.remove.users.end(), account) != change.remove.users.end();
  });
}

// The guide's API keeps its rule that there are no paid images on EBS (AMI-070); today all of them are.
void set_product_code(const Context& context, Image& image, const std::vector<std::string>& codes) {
  if (context.is_2011() && root_device(image) != nullptr)
    throw wire::unsupported_operation("Only instance store-backed images can have a product code.");
  if (codes.size() != 1) throw wire::invalid_parameter_value("An image has one product code.");
  if (!is_product_code(codes.front()))
    throw wire::ApiError(400, "InvalidAMIAttributeItemValue",
                         fmt::format("Invalid attribute item value \"{}\" for productCode item type.", codes.front()));
  if (!image.product_codes.empty() && image.product_codes != codes)
    throw wire::ApiError(400, "InvalidAMIAttributeItemValue",
                         fmt::format("The product code of {} is set and cannot be changed or removed.", image.id));
  image.product_codes = codes;
}

void set_imds_support(Image& image, const std::string& value) {
  if (value != "v2.0")
    throw wire::invalid_parameter_value(fmt::format("Value ({}) for parameter imdsSupport is invalid. Valid values are: v2.0.", value));
  image.imds_support = value;
}

// The attribute that a request is about, by its name or by the parameter with its value; one at a time.
std::string attribute_of(const ModifyImageAttributeRequest& request) {
  std::vector<std::string> given;
  if (request.description) given.emplace_back("description");
  if (request.imds_support) given.emplace_back("imdsSupport");
  if (request.launch_permission || !request.user_ids.empty() || !request.user_groups.empty() || !request.organization_arns.empty() ||
      !request.organizational_unit_arns.empty())
    given.emplace_back("launchPermission");
  if (!request.product_codes.empty()) given.emplace_back("productCodes");
  if (request.attribute && std::find(given.begin(), given.end(), *request.attribute) == given.end()) given.push_back(*request.attribute);
  if (given.empty()) throw wire::invalid_parameter_combination("No attributes specified.");
  if (given.size() > 1)
    throw wire::invalid_parameter_combination("Fields for multiple attribute types specified: " +
                                              fmt::format("{}", fmt::join(given, ", ")));
  return given.front();
}

// X.Value=… or Attribute=x and Value=…
std::string value_asked(const std::optional<wire::ec2::AttributeValue>& member, const ModifyImageAttributeRequest& request) {
  if (member && request.value) throw wire::invalid_parameter_combination("The value is given twice.");
  const auto value = member ? member->value : request.value;
  if (!value) throw wire::missing_parameter("Value");
  return *value;
}

wire::ec2::ModifyImageAttributeResponse modify_image_attribute(state::Transaction& transaction, const Context& context,
                                                               const ModifyImageAttributeRequest& request) {
  auto image = find_own_image(transaction.world(), context.account(), *request.image_id);
  const auto name = attribute_of(request);
  if (name == "launchPermission") {
    change_permissions(transaction.world(), image, read_permission_change(request));
  } else if (name == "description") {
    image.description = value_asked(request.description, request);
    check_image_description(image.description);
  } else if (name == "productCodes") {
    set_product_code(context, image, request.product_codes);
  } else if (name == "imdsSupport") {
    set_imds_support(image, value_asked(request.imds_support, request));
  } else {
    throw invalid_attribute(name);
  }
  transaction.put(std::move(image));
  return {};
}

wire::ec2::ResetImageAttributeResponse reset_image_attribute(state::Transaction& transaction, const Context& context,
                                                             const wire::ec2::ResetImageAttributeRequest& request) {
  auto image = find_own_image(transaction.world(), context.account(), *request.image_id);
  if (*request.attribute != "launchPermission") throw invalid_attribute(*request.attribute);
  image.is_public = false;
  image.launch_accounts.clear();
  transaction.put(std::move(image));
  return {};
}

}  // namespace

std::vector<service::Action> image_attribute_actions() {
  using namespace wire::ec2;
  return {
      service::read_action<DescribeImageAttributeRequest>("DescribeImageAttribute", describe_image_attribute),
      service::write_action<ModifyImageAttributeRequest>("ModifyImageAttribute", modify_image_attribute),
      service::write_action<ResetImageAttributeRequest>("ResetImageAttribute", reset_image_attribute),
  };
}

}  // namespace brume::ec2
