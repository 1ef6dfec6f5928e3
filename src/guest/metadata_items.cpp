#include "guest/metadata_items.hpp"

#include <algorithm>
#include "base/ipv4.hpp"

#include "domain/classic.hpp"
#include "guest/identity_document.hpp"

namespace brume::guest {
namespace {

using state::Index;
using state::NetworkInterface;
using View = MetadataView;
using Value = MetadataValue;

// An empty field of a record means that the item does not exist.
Value unless_empty(std::string text) {
  if (text.empty()) return std::nullopt;
  return text;
}

// --- names made of addresses

std::string local_name(const View& view, const NetworkInterface& interface) {
  return "ip-" + dashed(interface.private_ip) + "." + view.configuration.private_domain;
}

// What the guide calls a VPC: one that an account made. The default VPC behaves like EC2-Classic here: it has names of groups and a public
// name.
bool is_vpc_of_guide(const View& view) {
  if (view.version > last_guide_version) return false;
  const auto* vpc = view.world.find_indexed<state::Vpc>(Index::vpc_by_id, view.instance.vpc_id);
  return vpc != nullptr && !vpc->is_default;
}

bool has_public_names(const View& view, const NetworkInterface& interface) {
  const auto* vpc = view.world.find_indexed<state::Vpc>(Index::vpc_by_id, interface.vpc_id);
  return vpc == nullptr || (vpc->dns_support && vpc->dns_hostnames);
}

Value public_name(const View& view, const NetworkInterface& interface) {
  if (interface.public_ip.empty() || is_vpc_of_guide(view) || !has_public_names(view, interface)) return std::nullopt;
  return "ec2-" + dashed(interface.public_ip) + "." + view.configuration.public_domain;
}

// --- interfaces

template <class Visitor>
void each_interface(const View& view, Visitor visit) {
  for (const auto& id : view.instance.interface_ids)
    if (const auto* interface = view.world.find<NetworkInterface>(view.instance.account, id)) visit(*interface);
}

// The interface that {mac} names. The tree binds only names that macs() returned, so it exists.
const NetworkInterface& named_interface(const View& view) {
  const NetworkInterface* found = &view.primary;
  each_interface(view, [&](const NetworkInterface& interface) {
    if (interface.mac == view.bound.front()) found = &interface;
  });
  return *found;
}

std::string join_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) {
    if (!text.empty()) text += '\n';
    text += line;
  }
  return text;
}

std::string group_names(const View& view, const NetworkInterface& interface) {
  std::vector<std::string> names;
  for (const auto& id : interface.group_ids)
    if (const auto* group = view.world.find<state::SecurityGroup>(interface.account, id)) names.push_back(group->name);
  return join_lines(names);
}

// Names; in a VPC as the guide knows it, ids (OPS-135).
Value groups(const View& view) {
  return unless_empty(is_vpc_of_guide(view) ? join_lines(view.primary.group_ids) : group_names(view, view.primary));
}

std::string subnet_block(const View& view, const NetworkInterface& interface) {
  const auto* subnet = view.world.find<state::Subnet>(interface.account, interface.subnet_id);
  return subnet ? subnet->cidr : std::string();
}

// An interface of EC2-Classic: it has neither VPC nor subnet, and no name of its own.
Value unless_classic(const NetworkInterface& interface, std::string text) {
  return domain::is_classic(interface) ? std::nullopt : unless_empty(std::move(text));
}

std::string vpc_block(const View& view, const NetworkInterface& interface) {
  const auto* vpc = view.world.find_indexed<state::Vpc>(Index::vpc_by_id, interface.vpc_id);
  return vpc ? vpc->cidr : std::string();
}

std::string vpc_blocks(const View& view, const NetworkInterface& interface) {
  const auto* vpc = view.world.find_indexed<state::Vpc>(Index::vpc_by_id, interface.vpc_id);
  if (vpc == nullptr) return {};
  std::vector<std::string> blocks = {vpc->cidr};
  for (const auto& range : vpc->more) blocks.push_back(range.cidr);
  return join_lines(blocks);
}

std::string subnet_block6(const View& view, const NetworkInterface& interface) {
  const auto* subnet = view.world.find<state::Subnet>(interface.account, interface.subnet_id);
  return subnet ? subnet->ipv6_cidr : std::string();
}

std::string vpc_blocks6(const View& view, const NetworkInterface& interface) {
  std::vector<std::string> blocks;
  if (const auto* vpc = view.world.find_indexed<state::Vpc>(Index::vpc_by_id, interface.vpc_id))
    for (const auto& range : vpc->ipv6) blocks.push_back(range.cidr);
  return join_lines(blocks);
}

// The primary address first, each with the public address mapped to it, which may be empty.
template <class Visitor>
void each_address(const NetworkInterface& interface, Visitor visit) {
  visit(interface.private_ip, interface.public_ip);
  for (const auto& one : interface.secondary) visit(one.private_ip, one.public_ip);
}

std::string local_addresses(const NetworkInterface& interface) {
  std::vector<std::string> addresses;
  each_address(interface, [&](const auto& private_ip, const auto&) { addresses.push_back(private_ip); });
  return join_lines(addresses);
}

std::vector<std::string> public_addresses(const NetworkInterface& interface) {
  std::vector<std::string> addresses;
  each_address(interface, [&](const auto&, const auto& public_ip) {
    if (!public_ip.empty()) addresses.push_back(public_ip);
  });
  return addresses;
}

// The private address that the public {address} is mapped to.
Value associated_address(const View& view) {
  Value found;
  each_address(named_interface(view), [&](const auto& private_ip, const auto& public_ip) {
    if (public_ip == view.bound.back()) found = private_ip;
  });
  return found;
}

std::vector<MetadataName> macs(const View& view) {
  std::vector<MetadataName> names;
  each_interface(view, [&](const NetworkInterface& interface) { names.push_back({interface.mac, {}}); });
  return names;
}

std::vector<MetadataName> public_address_names(const View& view) {
  std::vector<MetadataName> names;
  for (auto& address : public_addresses(named_interface(view))) names.push_back({std::move(address), {}});
  return names;
}

// --- keys, tags, volumes

std::vector<MetadataName> key_numbers(const View& view) {
  if (view.instance.public_key.empty()) return {};
  return {{"0", "0=" + view.instance.key_name}};
}

// This value alone ends in a newline, because scripts append it to authorized_keys as it is.
Value open_ssh_key(const View& view) {
  if (view.instance.public_key.empty()) return std::nullopt;
  std::string line = view.instance.public_key;
  if (!view.instance.key_name.empty()) line.append(1, ' ').append(view.instance.key_name);
  return line.append(1, '\n');
}

const state::TagSet* tags_of(const View& view) {
  if (!view.instance.metadata_tags) return nullptr;
  return view.world.find<state::TagSet>(view.instance.account, view.instance.id);
}

// EC2 accepts only these names for tags in the metadata: others could not be told from the tree around them.
bool fits_a_path(std::string_view name) {
  if (name.empty() || name == "." || name == ".." || name == "_index") return false;
  return std::none_of(name.begin(), name.end(), [](char c) { return c == '/' || static_cast<unsigned char>(c) <= ' ' || c == 0x7f; });
}

std::vector<MetadataName> tag_names(const View& view) {
  std::vector<MetadataName> names;
  if (const auto* set = tags_of(view))
    for (const auto& tag : set->tags)
      if (fits_a_path(tag.name)) names.push_back({tag.name, tag.name});
  return names;
}

Value tag_value(const View& view) {
  if (const auto* set = tags_of(view))
    for (const auto& tag : set->tags)
      if (tag.name == view.bound.front()) return tag.value;
  return std::nullopt;
}

std::vector<std::string> data_devices(const View& view) {
  std::vector<std::string> devices;
  for (const auto& id : view.instance.volume_ids) {
    const auto* volume = view.world.find<state::Volume>(view.instance.account, id);
    const auto* attachment = volume ? volume->attachment_to(view.instance.id) : nullptr;
    if (attachment && attachment->device != view.instance.root_device_name) devices.push_back(attachment->device);
  }
  return devices;
}

std::vector<MetadataName> ebs_names(const View& view) {
  std::vector<MetadataName> names;
  for (size_t i = 1; i <= data_devices(view).size(); ++i) names.push_back({"ebs" + std::to_string(i), {}});
  return names;
}

std::string without_folder(std::string_view device) { return std::string(device.starts_with("/dev/") ? device.substr(5) : device); }

Value ebs_device(const View& view) {
  const auto devices = data_devices(view);
  for (size_t i = 0; i < devices.size(); ++i)
    if (view.bound.front() == "ebs" + std::to_string(i + 1)) return without_folder(devices[i]);
  return std::nullopt;
}

// Disks of the host: "ephemeral0", "swap".
std::vector<MetadataName> store_names(const View& view) {
  std::vector<MetadataName> names;
  for (const auto& disk : view.instance.instance_stores)
    if (!disk.virtual_name.empty() && !disk.device.empty()) names.push_back({disk.virtual_name, {}});
  return names;
}

Value store_device(const View& view) {
  for (const auto& disk : view.instance.instance_stores)
    if (disk.virtual_name == view.bound.front()) return without_folder(disk.device);
  return std::nullopt;
}

Value zone_id(const View& view) {
  return unless_empty(domain::zone_id_of(view.world, view.instance.account, view.configuration.zones, view.instance.zone));
}

Value user_data(const View& view) {
  const auto* data = view.world.find<state::UserData>(view.instance.account, view.instance.id);
  return data ? unless_empty(data->data) : std::nullopt;
}

Value identity(const View& view) {
  return identity_document(view.instance, view.primary, view.configuration.region, view.instance.product_codes);
}

Value signature_of(const View& view, std::string IdentitySigner::Signatures::*which) {
  if (!view.configuration.signer) return std::nullopt;
  return unless_empty(view.configuration.signer->sign(*identity(view)).get()->*which);
}

Value identity_signature(const View& view) { return signature_of(view, &IdentitySigner::Signatures::signature); }
Value identity_message(const View& view) { return signature_of(view, &IdentitySigner::Signatures::pkcs7); }

// What happens to the instance next: a guest that polls this learns that it is being stopped or terminated before its power button is
// pressed.
Value instance_action(const View& view) {
  const auto now = view.instance.state;
  return now == state::InstanceState::stopping || now == state::InstanceState::shutting_down ? "shutdown" : "none";
}

// JSON lists. Nothing schedules maintenance of an instance yet, so both are empty.
Value maintenance_events(const View&) { return "[]"; }

// --- the tables

// clang-format off
constexpr MetadataItem items[] = {
  {"dynamic/fws/instance-monitoring",               "2009-04-04", [](const View& v) -> Value { return v.instance.monitoring ? "enabled" : "disabled"; }},
  {"dynamic/instance-identity/document",            "2009-04-04", identity},
  {"dynamic/instance-identity/pkcs7",               "2009-04-04", identity_message},
  {"dynamic/instance-identity/rsa2048",             "2009-04-04", identity_message},
  {"dynamic/instance-identity/signature",           "2009-04-04", identity_signature},

  {"meta-data/ami-id",                              "1.0",        [](const View& v) { return unless_empty(v.instance.image_id); }},
  {"meta-data/ami-launch-index",                    "1.0",        [](const View& v) -> Value { return std::to_string(v.instance.launch_index); }},
  {"meta-data/ami-manifest-path",                   "1.0",        [](const View&) -> Value { return "(unknown)"; }},
  {"meta-data/block-device-mapping/ami",            "2007-10-10", [](const View& v) { return unless_empty(v.instance.root_device_name); }},
  {"meta-data/block-device-mapping/root",           "2007-10-10", [](const View& v) { return unless_empty(v.instance.root_device_name); }},
  {"meta-data/block-device-mapping/{ebs}",          "2007-10-10", ebs_device},
  {"meta-data/block-device-mapping/{store}",        "2007-10-10", store_device},
  {"meta-data/events/maintenance/history",          "2018-08-17", maintenance_events},
  {"meta-data/events/maintenance/scheduled",        "2018-08-17", maintenance_events},
  {"meta-data/hibernation/configured",              "2018-09-24", [](const View&) -> Value { return "false"; }},  // StopInstances refuses it
  {"meta-data/hostname",                            "1.0",        [](const View& v) -> Value { return local_name(v, v.primary); }},
  {"meta-data/instance-action",                     "2008-09-01", instance_action},
  {"meta-data/instance-id",                         "1.0",        [](const View& v) -> Value { return v.instance.id; }},
  {"meta-data/instance-life-cycle",                 "2019-10-01", [](const View&) -> Value { return "on-demand"; }},
  {"meta-data/instance-type",                       "2007-08-29", [](const View& v) { return unless_empty(v.instance.type); }},
  {"meta-data/ipv6",                                "2021-01-03", [](const View& v) { return v.primary.ipv6.empty() ? std::nullopt : Value(v.primary.ipv6.front()); }},
  {"meta-data/kernel-id",                           "2008-02-01", [](const View& v) { return unless_empty(v.instance.kernel_id); }},
  {"meta-data/local-hostname",                      "2007-01-19", [](const View& v) -> Value { return local_name(v, v.primary); }},
  {"meta-data/local-ipv4",                          "1.0",        [](const View& v) -> Value { return v.primary.private_ip; }},
  {"meta-data/mac",                                 "2011-01-01", [](const View& v) -> Value { return v.primary.mac; }},

#define BRUME_MAC "meta-data/network/interfaces/macs/{mac}/"
  {BRUME_MAC "device-number",                       "2011-01-01", [](const View& v) -> Value { return std::to_string(named_interface(v).device_index); }},
  {BRUME_MAC "interface-id",                        "2011-01-01", [](const View& v) { return unless_classic(named_interface(v), named_interface(v).id); }},
  {BRUME_MAC "ipv4-associations/{address}",         "2011-01-01", associated_address},
  {BRUME_MAC "ipv6s",                               "2016-06-30", [](const View& v) { return unless_empty(join_lines(named_interface(v).ipv6)); }},
  {BRUME_MAC "local-hostname",                      "2011-01-01", [](const View& v) -> Value { return local_name(v, named_interface(v)); }},
  {BRUME_MAC "local-ipv4s",                         "2011-01-01", [](const View& v) -> Value { return local_addresses(named_interface(v)); }},
  {BRUME_MAC "mac",                                 "2011-01-01", [](const View& v) -> Value { return named_interface(v).mac; }},
  {BRUME_MAC "network-card",                        "2021-01-03", [](const View&) -> Value { return "0"; }},  // machines have one
  {BRUME_MAC "owner-id",                            "2011-01-01", [](const View& v) -> Value { return named_interface(v).account; }},
  {BRUME_MAC "public-hostname",                     "2011-01-01", [](const View& v) { return public_name(v, named_interface(v)); }},
  {BRUME_MAC "public-ipv4s",                        "2011-01-01", [](const View& v) { return unless_empty(join_lines(public_addresses(named_interface(v)))); }},
  {BRUME_MAC "security-group-ids",                  "2011-01-01", [](const View& v) { return unless_empty(join_lines(named_interface(v).group_ids)); }},
  {BRUME_MAC "security-groups",                     "2011-01-01", [](const View& v) { return unless_empty(group_names(v, named_interface(v))); }},
  {BRUME_MAC "subnet-id",                           "2011-01-01", [](const View& v) { return unless_classic(named_interface(v), named_interface(v).subnet_id); }},
  {BRUME_MAC "subnet-ipv4-cidr-block",              "2011-01-01", [](const View& v) { return unless_empty(subnet_block(v, named_interface(v))); }},
  {BRUME_MAC "subnet-ipv6-cidr-blocks",             "2016-06-30", [](const View& v) { return unless_empty(subnet_block6(v, named_interface(v))); }},
  {BRUME_MAC "vpc-id",                              "2011-01-01", [](const View& v) { return unless_classic(named_interface(v), named_interface(v).vpc_id); }},
  {BRUME_MAC "vpc-ipv4-cidr-block",                 "2011-01-01", [](const View& v) { return unless_classic(named_interface(v), vpc_block(v, named_interface(v))); }},
  {BRUME_MAC "vpc-ipv4-cidr-blocks",                "2016-06-30", [](const View& v) { return unless_classic(named_interface(v), vpc_blocks(v, named_interface(v))); }},
  {BRUME_MAC "vpc-ipv6-cidr-blocks",                "2016-06-30", [](const View& v) { return unless_empty(vpc_blocks6(v, named_interface(v))); }},
#undef BRUME_MAC

  {"meta-data/placement/availability-zone",         "2008-02-01", [](const View& v) { return unless_empty(v.instance.zone); }},
  {"meta-data/placement/availability-zone-id",      "2019-10-01", zone_id},
  {"meta-data/placement/group-name",                "2020-10-27", [](const View& v) { return unless_empty(v.instance.placement_group); }},
  {"meta-data/placement/partition-number",          "2020-10-27", [](const View& v) -> Value { return v.instance.partition_number > 0 ? Value(std::to_string(v.instance.partition_number)) : std::nullopt; }},
  {"meta-data/placement/region",                    "2020-10-27", [](const View& v) { return unless_empty(v.configuration.region); }},
  {"meta-data/product-codes",                       "2007-03-01", [](const View& v) { return unless_empty(join_lines(v.instance.product_codes)); }},
  {"meta-data/profile",                             "2011-01-01", [](const View& v) -> Value { return v.instance.virtualization_type == "paravirtual" ? "default-paravirtual" : "default-hvm"; }},
  {"meta-data/public-hostname",                     "2007-01-19", [](const View& v) { return public_name(v, v.primary); }},
  {"meta-data/public-ipv4",                         "2007-01-19", [](const View& v) { return unless_empty(v.primary.public_ip); }},
  {"meta-data/public-keys/{key}/openssh-key",       "1.0",        open_ssh_key},
  {"meta-data/ramdisk-id",                          "2008-02-01", [](const View& v) { return unless_empty(v.instance.ramdisk_id); }},
  {"meta-data/reservation-id",                      "1.0",        [](const View& v) { return unless_empty(v.instance.reservation_id); }},
  {"meta-data/security-groups",                     "1.0",        groups},
  {"meta-data/services/domain",                     "2014-02-25", [](const View& v) { return unless_empty(v.configuration.services_domain); }},
  {"meta-data/services/partition",                  "2015-10-20", [](const View& v) { return unless_empty(v.configuration.partition); }},
  {"meta-data/system",                              "2022-09-24", [](const View& v) { return unless_empty(v.configuration.system); }},
  {"meta-data/tags/instance/{tag}",                 "2021-03-23", tag_value},

  {"user-data",                                     "1.0",        user_data, "application/octet-stream"},
};

constexpr MetadataNames names[] = {
  {"{ebs}",     ebs_names},
  {"{store}",   store_names},
  {"{mac}",     macs},
  {"{address}", public_address_names},
  {"{key}",     key_numbers},
  {"{tag}",     tag_names},
};

// Values that EC2 itself has there.
constexpr std::string_view versions[] = {
  "1.0",        "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01", "2009-04-04",
  "2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25", "2014-11-05", "2015-10-20", "2016-04-19", "2016-06-30", "2016-09-02",
  "2018-03-28", "2018-08-17", "2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03", "2021-03-23", "2021-07-15",
  "2022-07-09", "2022-09-24",
};
// clang-format on

}  // namespace

std::span<const MetadataItem> metadata_items() { return items; }
std::span<const MetadataNames> metadata_names() { return names; }
std::span<const std::string_view> metadata_versions() { return versions; }

}  // namespace brume::guest
