// DescribeInstanceAttribute, ModifyInstanceAttribute, ResetInstanceAttribute (INS-051): one attribute at a time, each with the states
// in which it may be changed.
#include <algorithm>

#include "base/text.hpp"
#include "domain/classic.hpp"
#include "domain/instance_types.hpp"
#include "ec2/common/resource_ids.hpp"
#include "ec2/images/images.hpp"
#include "ec2/images/product_codes.hpp"
#include "ec2/instances/instances.hpp"
#include "ec2/instances/user_data.hpp"
#include "ec2/interfaces/network_interfaces.hpp"
#include "ec2/launch/launch.hpp"
#include "wire/ec2/instance_attributes.hpp"

namespace brume::ec2 {
namespace {

using service::Context;
using state::InstanceState;
using wire::ec2::ModifyInstanceAttributeRequest;

wire::ApiError invalid_attribute_value(std::string message) { return {400, "InvalidInstanceAttributeValue", std::move(message)}; }

// Describe -------------------------------------------------------------------------------------------------------------------------

// The generated answer omits empty lists, so that only the requested attribute is in it; a requested empty list is shown.
struct AttributeAnswer {
  wire::ec2::DescribeInstanceAttributeResponse answer;
  std::string_view empty_list;
  const wire::ec2::DescribeInstanceAttributeResponse& answer_or_throw() const { return answer; }
};

void write(wire::XmlWriter& out, const AttributeAnswer& attribute) {
  wire::ec2::write(out, attribute.answer);
  if (attribute.empty_list.empty()) return;
  out.open(attribute.empty_list);
  out.close(attribute.empty_list);
}

wire::ec2::AttributeValue text(const std::string& value) {
  wire::ec2::AttributeValue item;
  if (!value.empty()) item.value = value;
  return item;
}
wire::ec2::AttributeBooleanValue flag(bool value) {
  wire::ec2::AttributeBooleanValue item;
  item.value = value;
  return item;
}

using Show = void (*)(const state::World& world, const state::Instance& instance, AttributeAnswer& out);
struct Attribute {
  std::string_view name;
  Show show;
};

void show_user_data(const state::World& world, const state::Instance& instance, AttributeAnswer& out) {
  const auto* data = world.find<state::UserData>(instance.key());
  out.answer.user_data = text(data == nullptr ? std::string() : to_base64(data->data));
}

void show_devices(const state::World& world, const state::Instance& instance, AttributeAnswer& out) {
  out.answer.block_device_mappings = describe_disks(world, instance);
  if (out.answer.block_device_mappings.empty()) out.empty_list = "blockDeviceMapping";
}

void answer_groups(const state::World& world, const state::Instance& instance, AttributeAnswer& out) {
  if (const auto* interface = primary_interface(world, instance)) out.answer.groups = show_groups(world, *interface);
  if (out.answer.groups.empty()) out.empty_list = "groupSet";
}

void show_source_dest_check(const state::World& world, const state::Instance& instance, AttributeAnswer& out) {
  const auto* interface = primary_interface(world, instance);
  if (interface != nullptr && !domain::is_classic(*interface)) out.answer.source_dest_check = flag(interface->source_dest_check);
}

constexpr Attribute attributes[] = {
    {"instanceType", [](const auto&, const auto& instance, auto& out) { out.answer.instance_type = text(instance.type); }},
    {"kernel", [](const auto&, const auto& instance, auto& out) { out.answer.kernel_id = text(instance.kernel_id); }},
    {"ramdisk", [](const auto&, const auto& instance, auto& out) { out.answer.ramdisk_id = text(instance.ramdisk_id); }},
    {"userData", show_user_data},
    {"disableApiTermination",
     [](const auto&, const auto& instance, auto& out) { out.answer.disable_api_termination = flag(instance.termination_protected); }},
    {"disableApiStop", [](const auto&, const auto& instance, auto& out) { out.answer.disable_api_stop = flag(instance.stop_protected); }},
    {"instanceInitiatedShutdownBehavior",
     [](const auto&, const auto& instance, auto& out) {
       out.answer.instance_initiated_shutdown_behavior = text(instance.terminate_on_shutdown ? "terminate" : "stop");
     }},
    {"rootDeviceName", [](const auto&, const auto& instance, auto& out) { out.answer.root_device_name = text(instance.root_device_name); }},
    {"blockDeviceMapping", show_devices},
    {"productCodes",
     [](const auto&, const auto& instance, auto& out) {
       out.answer.product_codes = show_product_codes(instance.product_codes);
       if (instance.product_codes.empty()) out.empty_list = "productCodes";
     }},
    {"sourceDestCheck", show_source_dest_check},
    {"groupSet", answer_groups},
    {"ebsOptimized", [](const auto&, const auto& instance, auto& out) { out.answer.ebs_optimized = flag(instance.ebs_optimized); }},
    {"sriovNetSupport",
     [](const auto&, const auto& instance, auto& out) { out.answer.sriov_net_support = text(instance.sriov_net_support); }},
    {"enclaveOptions", [](const auto&, const auto&, auto& out) { out.answer.enclave_options.emplace().enabled = false; }},
};

wire::ApiError unknown_attribute(const std::string& name) {
  return wire::invalid_parameter_value(fmt::format("Value ({}) for parameter attribute is invalid. Unknown attribute.", name));
}

AttributeAnswer describe_instance_attribute(const state::World& world, const Context& context,
                                            const wire::ec2::DescribeInstanceAttributeRequest& request) {
  const auto& name = *request.attribute;
  const auto* found = std::find_if(std::begin(attributes), std::end(attributes), [&](const auto& row) { return row.name == name; });
  if (found == std::end(attributes)) throw unknown_attribute(name);
  const auto& instance = find_instance(world, context.account(), *request.instance_id);
  AttributeAnswer out;
  out.answer.instance_id = instance.id;
  found->show(world, instance, out);
  return out;
}

// Modify ---------------------------------------------------------------------------------------------------------------------------

// An instance on which one attribute is being changed.
struct Subject {
  state::Transaction& transaction;
  const Context& context;
  state::Instance instance;
};

void need_stopped(const Subject& subject) {
  if (subject.instance.state != InstanceState::stopped)
    throw wire::ApiError(400, "IncorrectInstanceState",
                         fmt::format("The instance '{}' is not in the 'stopped' state.", subject.instance.id));
}

const state::NetworkInterface& only_interface(const Subject& subject) {
  const auto& instance = subject.instance;
  // Nobody can know which of several is meant.
  if (instance.interface_ids.size() > 1)
    throw wire::ApiError(400, "InvalidInstanceID",
                         fmt::format("There are multiple interfaces attached to instance '{}'. Please specify an interface ID for the "
                                     "operation instead.",
                                     instance.id));
  const auto* interface = primary_interface(subject.transaction.world(), instance);
  if (interface == nullptr) throw incorrect_instance_state(instance, "modified");
  return *interface;
}

bool read_flag(std::string_view name, const std::string& value) {
  if (equals_ignoring_case(value, "true") || value == "1") return true;
  if (equals_ignoring_case(value, "false") || value == "0") return false;
  throw wire::invalid_parameter_value(fmt::format("Invalid value '{}' for {}. It is true or false.", value, name));
}

void change_type(Subject& subject, const std::string& value) {
  need_stopped(subject);
  auto& instance = subject.instance;
  const auto* type = domain::find_instance_type(value);
  if (type == nullptr) throw invalid_attribute_value(fmt::format("Invalid value '{}' for instanceType.", value));
  if (!type->runs(instance.architecture))
    throw wire::invalid_parameter_combination(fmt::format("The architecture '{}' of the instance '{}' is not supported by the type '{}'.",
                                                          instance.architecture, instance.id, value));
  if (domain::is_classic(instance)) check_runs_in_classic(value);
  check_interface_count(value, instance.interface_ids.size());
  for (const auto& id : instance.interface_ids)
    if (const auto* interface = subject.transaction.find<state::NetworkInterface>(instance.account, id)) {
      check_address_count(value, 1 + interface->secondary.size());
      check_ipv6_count(value, interface->ipv6.size());
    }
  if (!type->burstable)
    instance.cpu_credits.clear();
  else if (instance.cpu_credits.empty())
    instance.cpu_credits = default_cpu_credits(value);
  instance.type = type->name;
  instance.memory_mib = type->memory_mib;
  instance.processors = type->processors;
  instance.threads_per_core = type->threads_per_core;
  // None can be added: they are mapped at launch only (STO-085).
  fit_instance_stores(*type, instance.instance_stores);
}

void change_boot_image(Subject& subject, const std::string& value, std::string_view kind, std::string state::Instance::*field) {
  need_stopped(subject);
  if (value.empty()) throw wire::missing_parameter("Value");
  find_boot_image(subject.transaction.world(), subject.context.account(), value, kind);
  subject.instance.*field = value;
}

void change_user_data(Subject& subject, const std::string& raw) {
  need_stopped(subject);
  check_user_data(raw);
  if (raw.empty())
    subject.transaction.erase<state::UserData>(subject.instance.key());
  else
    subject.transaction.put(state::UserData{subject.instance.account, subject.instance.id, raw});
}

void change_shutdown_behavior(Subject& subject, const std::string& value) {
  if (value != "stop" && value != "terminate")
    throw wire::invalid_parameter_value(
        fmt::format("Invalid value '{}' for InstanceInitiatedShutdownBehavior. Value must be in the set [stop, terminate]", value));
  subject.instance.terminate_on_shutdown = value == "terminate";
}

// Only an instance in a VPC has these; the groups of one in EC2-Classic are those of its launch (INS-036).
void need_vpc(const Subject& subject, std::string_view what) {
  if (domain::is_classic(subject.instance))
    throw wire::invalid_parameter_combination(
        fmt::format("The instance '{}' is in EC2-Classic: only in a VPC can {} be changed.", subject.instance.id, what));
}

void change_source_dest_check(Subject& subject, bool on) {
  need_vpc(subject, "the source/destination check");
  auto interface = only_interface(subject);
  interface.source_dest_check = on;
  subject.transaction.put(std::move(interface));
}

void change_groups(Subject& subject, const std::vector<std::string>& ids) {
  need_vpc(subject, "security groups");
  auto interface = only_interface(subject);
  interface.group_ids.clear();
  for (const auto& id : ids) {
    check_id("sg", "GroupId", id);
    const auto* group = subject.transaction.find<state::SecurityGroup>(subject.instance.account, id);
    if (group == nullptr) throw wire::ApiError(400, "InvalidGroup.NotFound", fmt::format("The security group '{}' does not exist", id));
    if (group->vpc_id != interface.vpc_id)
      throw wire::ApiError(400, "InvalidGroup.NotFound", "You have specified two resources that belong to different networks.");
    if (std::find(interface.group_ids.begin(), interface.group_ids.end(), id) == interface.group_ids.end())
      interface.group_ids.push_back(id);
  }
  check_groups_of_interface(interface.group_ids.size());
  subject.transaction.put(std::move(interface));
}

// What is deleted with the instance is also listed in its Dependents.
void note_deletion(Subject& subject, const std::string& volume_id, bool with_instance) {
  const auto* found = subject.transaction.find<state::Dependents>(subject.instance.key());
  if (found == nullptr) return;
  auto dependents = *found;
  std::erase(dependents.volumes, volume_id);
  if (with_instance) dependents.volumes.push_back(volume_id);
  subject.transaction.put(std::move(dependents));
}

void change_devices(Subject& subject, const std::vector<wire::ec2::InstanceBlockDeviceMappingSpecification>& mappings) {
  for (const auto& mapping : mappings) {
    if (!mapping.device_name) throw wire::missing_parameter("BlockDeviceMapping.DeviceName");
    if (mapping.virtual_name || mapping.no_device)
      throw wire::invalid_parameter_value("Only DeleteOnTermination of a volume that is attached may be modified.");
    if (!mapping.ebs || !mapping.ebs->delete_on_termination) throw wire::missing_parameter("BlockDeviceMapping.Ebs.DeleteOnTermination");
    const state::Volume* found = nullptr;
    for (const auto& id : subject.instance.volume_ids) {
      const auto* volume = subject.transaction.find<state::Volume>(subject.instance.account, id);
      const auto* attachment = volume == nullptr ? nullptr : volume->attachment_to(subject.instance.id);
      if (attachment != nullptr && attachment->device == *mapping.device_name) found = volume;
    }
    if (found == nullptr) throw invalid_attribute_value(fmt::format("No device is currently mapped at {}", *mapping.device_name));
    if (mapping.ebs->volume_id && *mapping.ebs->volume_id != found->id)
      throw invalid_attribute_value(fmt::format("The volume at {} is not '{}'", *mapping.device_name, *mapping.ebs->volume_id));
    auto volume = *found;
    auto& attachment = *volume.attachment_to(subject.instance.id);
    attachment.delete_on_termination = *mapping.ebs->delete_on_termination;
    // A volume that others may have too is examined when the instance goes.
    if (!attachment.served) note_deletion(subject, volume.id, attachment.delete_on_termination);
    subject.transaction.put(std::move(volume));
  }
}

// An attribute whose value is one text.
void change_text(Subject& subject, const std::string& name, const std::string& value) {
  auto& instance = subject.instance;
  if (name == "instanceType") {
    change_type(subject, value);
  } else if (name == "kernel") {
    change_boot_image(subject, value, "kernel", &state::Instance::kernel_id);
  } else if (name == "ramdisk") {
    change_boot_image(subject, value, "ramdisk", &state::Instance::ramdisk_id);
  } else if (name == "instanceInitiatedShutdownBehavior") {
    change_shutdown_behavior(subject, value);
  } else if (name == "disableApiTermination") {
    instance.termination_protected = read_flag(name, value);
  } else if (name == "disableApiStop") {
    instance.stop_protected = read_flag(name, value);
  } else if (name == "sourceDestCheck") {
    change_source_dest_check(subject, read_flag(name, value));
  } else if (name == "ebsOptimized") {
    need_stopped(subject);
    instance.ebs_optimized = read_flag(name, value);
  } else if (name == "enaSupport") {
    need_stopped(subject);
    instance.ena_support = read_flag(name, value);
  } else if (name == "sriovNetSupport") {
    need_stopped(subject);
    if (value != "simple") throw wire::invalid_parameter_value(fmt::format("Invalid value '{}' for sriovNetSupport.", value));
    instance.sriov_net_support = value;
  } else if (name == "userData") {
    const auto raw = from_base64(value);
    if (!raw) throw wire::invalid_parameter_value("Invalid BASE64 encoding of user data.");
    change_user_data(subject, *raw);
  } else if (std::any_of(std::begin(attributes), std::end(attributes), [&](const auto& row) { return row.name == name; })) {
    throw wire::invalid_parameter_value(fmt::format("The attribute '{}' cannot be modified with Attribute and Value.", name));
  } else {
    throw unknown_attribute(name);
  }
}

// What a request asks for: an attribute's name, and how to carry it out.
struct Asked {
  std::string_view name;
  std::function<void(Subject&)> change;
};

void add(std::vector<Asked>& asked, std::string_view name, const std::optional<wire::ec2::AttributeValue>& value) {
  if (!value) return;
  asked.push_back({name, [name = std::string(name), text = value->value](Subject& subject) {
                     if (!text) throw wire::missing_parameter(name + ".Value");
                     change_text(subject, name, *text);
                   }});
}
void add(std::vector<Asked>& asked, std::string_view name, const std::optional<wire::ec2::AttributeBooleanValue>& value) {
  if (!value) return;
  wire::ec2::AttributeValue as_text;
  if (value->value) as_text.value = *value->value ? "true" : "false";
  add(asked, name, std::optional(as_text));
}

// Both forms (INS-051): "EbsOptimized.Value=true", and "Attribute=ebsOptimized&Value=true".
std::vector<Asked> read_asked(const ModifyInstanceAttributeRequest& request) {
  std::vector<Asked> asked;
  if (request.attribute) {
    // Some clients name the attribute in addition to a list that says everything.
    if (request.value || (request.block_device_mappings.empty() && request.groups.empty())) {
      asked.push_back({*request.attribute, [name = *request.attribute, text = request.value](Subject& subject) {
                         if (!text) throw wire::missing_parameter("Value");
                         change_text(subject, name, *text);
                       }});
    }
  } else if (request.value) {
    throw wire::missing_parameter("Attribute");
  }
  add(asked, "instanceType", request.instance_type);
  add(asked, "kernel", request.kernel);
  add(asked, "ramdisk", request.ramdisk);
  add(asked, "disableApiTermination", request.disable_api_termination);
  add(asked, "disableApiStop", request.disable_api_stop);
  add(asked, "instanceInitiatedShutdownBehavior", request.instance_initiated_shutdown_behavior);
  add(asked, "sourceDestCheck", request.source_dest_check);
  add(asked, "ebsOptimized", request.ebs_optimized);
  add(asked, "enaSupport", request.ena_support);
  add(asked, "sriovNetSupport", request.sriov_net_support);
  if (request.user_data)
    asked.push_back({"userData", [raw = request.user_data->value.value_or("")](Subject& subject) { change_user_data(subject, raw); }});
  if (!request.groups.empty()) asked.push_back({"groupSet", [&ids = request.groups](Subject& subject) { change_groups(subject, ids); }});
  if (!request.block_device_mappings.empty())
    asked.push_back({"blockDeviceMapping", [&all = request.block_device_mappings](Subject& subject) { change_devices(subject, all); }});
  return asked;
}

service::Done modify_instance_attribute(state::Transaction& transaction, const Context& context,
                                        const ModifyInstanceAttributeRequest& request) {
  const auto asked = read_asked(request);
  if (asked.empty()) throw wire::invalid_parameter_combination("No attributes specified.");
  if (asked.size() > 1) {
    std::vector<std::string_view> names;
    for (const auto& one : asked) names.push_back(one.name);
    throw wire::invalid_parameter_combination(fmt::format("Fields for multiple attribute types specified: {}", fmt::join(names, ", ")));
  }
  Subject subject{transaction, context, find_instance(transaction.world(), context.account(), *request.instance_id)};
  need_alive(subject.instance);
  asked.front().change(subject);
  transaction.put(std::move(subject.instance));
  return {};
}

// Reset ----------------------------------------------------------------------------------------------------------------------------

service::Done reset_instance_attribute(state::Transaction& transaction, const Context& context,
                                       const wire::ec2::ResetInstanceAttributeRequest& request) {
  const auto& name = *request.attribute;
  if (name != "kernel" && name != "ramdisk" && name != "sourceDestCheck")
    throw wire::invalid_parameter_value(
        fmt::format("The attribute '{}' cannot be reset. Value must be in the set [kernel, ramdisk, sourceDestCheck]", name));
  Subject subject{transaction, context, find_instance(transaction.world(), context.account(), *request.instance_id)};
  auto& instance = subject.instance;
  need_alive(instance);
  if (name == "sourceDestCheck") {
    change_source_dest_check(subject, true);
    return {};
  }
  need_stopped(subject);
  // Back to the value of its image, which may be gone since.
  const auto* image = transaction.find<state::Image>(instance.image_account, instance.image_id);
  if (image == nullptr) throw wire::id_not_found("AMIID", "image", instance.image_id);
  if (name == "kernel")
    instance.kernel_id = image->kernel_id;
  else
    instance.ramdisk_id = image->ramdisk_id;
  transaction.put(std::move(instance));
  return {};
}

}  // namespace

std::vector<service::Action> instance_attribute_actions() {
  using namespace wire::ec2;
  return {
      service::read_action<DescribeInstanceAttributeRequest>("DescribeInstanceAttribute", describe_instance_attribute),
      service::write_action<ModifyInstanceAttributeRequest>("ModifyInstanceAttribute", modify_instance_attribute),
      service::write_action<ResetInstanceAttributeRequest>("ResetInstanceAttribute", reset_instance_attribute),
  };
}

}  // namespace brume::ec2
