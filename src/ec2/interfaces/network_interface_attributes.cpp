// Attributes of network interfaces: description, groups, source/destination check, deletion on termination (OPS-057 ff.).
#include <fmt/format.h>

#include "ec2/common/attributes.hpp"
#include "ec2/common/resource_ids.hpp"
#include "ec2/interfaces/network_interfaces.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::NetworkInterface;

void set_delete_on_termination(NetworkInterface& interface, const wire::ec2::NetworkInterfaceAttachmentChanges& changes) {
  if (!changes.attachment_id) throw wire::missing_parameter("Attachment.AttachmentId");
  check_id("eni-attach", "NetworkInterfaceAttachmentId", *changes.attachment_id);
  const bool queues = changes.ena_queue_count || changes.default_ena_queue_count;
  if (!changes.delete_on_termination && !queues) throw wire::missing_parameter("Attachment.DeleteOnTermination");
  if (interface.instance_id.empty() || interface.attachment_id != *changes.attachment_id)
    throw wire::ApiError(
        400, "InvalidAttachmentID.NotFound",
        fmt::format("The attachment ID '{}' is not one of the network interface '{}'", *changes.attachment_id, interface.id));
  if (queues) throw wire::unsupported_operation("ENA options are not supported.");
  interface.delete_on_termination = *changes.delete_on_termination;
}

wire::ec2::ModifyNetworkInterfaceAttributeResponse modify_attribute(state::Transaction& transaction, const Context& context,
                                                                    const wire::ec2::ModifyNetworkInterfaceAttributeRequest& request) {
  auto interface = find_own_interface(transaction.world(), context.account(), request.network_interface_id);
  const bool not_built = request.ena_srd_specification || request.enable_primary_ipv6 || request.connection_tracking_specification ||
                         request.associate_public_ip_address || !request.associated_subnet_ids.empty();
  check_one_attribute({{"description", request.description.has_value()},
                       {"sourceDestCheck", request.source_dest_check.has_value()},
                       {"groupSet", !request.groups.empty()},
                       {"attachment", request.attachment.has_value()},
                       {"enaSrdSpecification", request.ena_srd_specification.has_value()},
                       {"enablePrimaryIpv6", request.enable_primary_ipv6.has_value()},
                       {"connectionTrackingSpecification", request.connection_tracking_specification.has_value()},
                       {"associatePublicIpAddress", request.associate_public_ip_address.has_value()},
                       {"associatedSubnetIds", !request.associated_subnet_ids.empty()}});
  if (not_built) throw wire::unsupported_operation("This attribute of network interfaces is not supported.");
  if (request.description) {
    interface.description = request.description->value.value_or("");
    if (interface.description.size() > 255) throw wire::invalid_parameter_value("A description has at most 255 characters.");
  }
  if (request.source_dest_check) {
    if (!request.source_dest_check->value) throw wire::missing_parameter("SourceDestCheck.Value");
    interface.source_dest_check = *request.source_dest_check->value;
  }
  if (!request.groups.empty())
    interface.group_ids = find_interface_groups(transaction.world(), context.account(), interface.vpc_id, request.groups);
  if (request.attachment) set_delete_on_termination(interface, *request.attachment);
  transaction.put(std::move(interface));
  return {};
}

wire::ec2::DescribeNetworkInterfaceAttributeResponse describe_attribute(
    const state::World& world, const Context& context, const wire::ec2::DescribeNetworkInterfaceAttributeRequest& request) {
  const auto& interface = find_interface(world, context.account(), request.network_interface_id);
  const auto name = request.attribute.value_or("");
  if (name.empty()) throw wire::missing_parameter("Attribute");
  wire::ec2::DescribeNetworkInterfaceAttributeResponse response;
  response.network_interface_id = interface.id;
  if (name == "description")
    response.description.emplace().value = interface.description;
  else if (name == "groupSet")
    response.groups = show_groups(world, interface);
  else if (name == "sourceDestCheck")
    response.source_dest_check.emplace().value = interface.source_dest_check;
  else if (name == "attachment") {
    if (!interface.instance_id.empty()) response.attachment = show_attachment(interface);
  } else {
    throw wire::invalid_parameter_value(
        fmt::format("Value ({}) for parameter attribute is invalid. Unknown network interface attribute", name));
  }
  return response;
}

wire::ec2::ResetNetworkInterfaceAttributeResponse reset_attribute(state::Transaction& transaction, const Context& context,
                                                                  const wire::ec2::ResetNetworkInterfaceAttributeRequest& request) {
  auto interface = find_own_interface(transaction.world(), context.account(), request.network_interface_id);
  if (!request.source_dest_check) throw wire::invalid_parameter_combination("No attributes specified.");
  interface.source_dest_check = true;
  transaction.put(std::move(interface));
  return {};
}

}  // namespace

std::vector<service::Action> network_interface_attribute_actions() {
  return {
      service::write_action("ModifyNetworkInterfaceAttribute", modify_attribute),
      service::read_action("DescribeNetworkInterfaceAttribute", describe_attribute),
      service::write_action("ResetNetworkInterfaceAttribute", reset_attribute),
  };
}

}  // namespace brume::ec2
