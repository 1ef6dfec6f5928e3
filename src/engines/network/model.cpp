#include "engines/network/model.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <boost/json.hpp>

#include "base/files.hpp"
#include "base/log.hpp"
#include "engines/network/names.hpp"

namespace brume::network {
namespace {

namespace json = boost::json;

json::array texts(const std::vector<std::string>& list) { return json::array(list.begin(), list.end()); }

std::vector<std::string> read_texts(const json::value& list) {
  std::vector<std::string> texts;
  for (const auto& one : list.as_array()) texts.emplace_back(one.as_string());
  return texts;
}

std::string text(const json::object& object, std::string_view name) { return std::string(object.at(name).as_string()); }

json::object write(const VpcSpec& vpc) {
  return {{"id", vpc.id}, {"cidr", vpc.cidr}, {"subnets", texts(vpc.subnets)}, {"domain", vpc.domain}};
}

VpcSpec read_vpc(const json::object& object) {
  return {text(object, "id"), text(object, "cidr"), read_texts(object.at("subnets")), text(object, "domain")};
}

json::object write(const InterfaceSpec& one) {
  return {{"id", one.id},
          {"vpc_id", one.vpc_id},
          {"subnet_cidr", one.subnet_cidr},
          {"mac", one.mac},
          {"private_ip", one.private_ip},
          {"public_ip", one.public_ip},
          {"group_ids", texts(one.group_ids)},
          {"host_name", one.host_name},
          {"source_dest_check", one.source_dest_check},
          {"user", one.user}};
}

InterfaceSpec read_interface(const json::object& object) {
  InterfaceSpec one;
  one.id = text(object, "id");
  one.vpc_id = text(object, "vpc_id");
  one.subnet_cidr = text(object, "subnet_cidr");
  one.mac = text(object, "mac");
  one.private_ip = text(object, "private_ip");
  one.public_ip = text(object, "public_ip");
  one.group_ids = read_texts(object.at("group_ids"));
  one.host_name = text(object, "host_name");
  one.source_dest_check = object.at("source_dest_check").as_bool();
  one.user = object.at("user").to_number<unsigned>();
  return one;
}

json::array write(const std::vector<Permission>& permissions) {
  json::array list;
  for (const auto& one : permissions)
    list.push_back(json::object{{"protocol", one.protocol},
                                {"from_port", one.from_port},
                                {"to_port", one.to_port},
                                {"cidr", one.cidr},
                                {"group_id", one.group_id}});
  return list;
}

std::vector<Permission> read_permissions(const json::value& list) {
  std::vector<Permission> permissions;
  for (const auto& value : list.as_array()) {
    const auto& one = value.as_object();
    permissions.push_back(
        {text(one, "protocol"), one.at("from_port").as_int64(), one.at("to_port").as_int64(), text(one, "cidr"), text(one, "group_id")});
  }
  return permissions;
}

json::object write(const GroupSpec& group) {
  return {{"id", group.id}, {"vpc_id", group.vpc_id}, {"ingress", write(group.ingress)}, {"egress", write(group.egress)}};
}

GroupSpec read_group(const json::object& object) {
  return {text(object, "id"), text(object, "vpc_id"), read_permissions(object.at("ingress")), read_permissions(object.at("egress"))};
}

// Whole or not at all, but not synced: after a power cut the kernel has forgotten its part too, and control repeats everything.
Result<void> put(const std::string& path, const json::object& content) {
  const auto draft = path + ".new";
  {
    std::ofstream file(draft, std::ios::trunc);
    file << json::serialize(content) << '\n';
    if (!file.flush()) return fail(ErrorKind::exhausted, "cannot write " + draft);
  }
  if (::rename(draft.c_str(), path.c_str()) != 0) return fail_system("cannot rename " + draft, errno);
  return {};
}

template <class Read>
bool take(const std::string& path, Read read) {
  const auto content = read_file(path);
  if (!content) return false;
  try {
    read(json::parse(*content).as_object());
    return true;
  } catch (const std::exception& error) {
    log::warning("network", "{} cannot be read and is left out: {}", path, error.what());
    return false;
  }
}

template <class Read>
void take_all(const std::string& folder, Read read) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
    if (entry.path().extension() == ".json") take(entry.path().string(), read);
}

Result<void> bad(std::string_view what, std::string_view value, std::string_view owner) {
  return fail(ErrorKind::invalid, fmt::format("{} \"{}\" of {} cannot be used", what, value, owner));
}

bool is_mac(std::string_view text) {
  if (text.size() != 17) return false;
  for (size_t i = 0; i < text.size(); ++i)
    if (i % 3 == 2 ? text[i] != ':' : std::string_view("0123456789abcdef").find(text[i]) == std::string_view::npos) return false;
  return true;
}

bool is_host_name(std::string_view text) {
  return text.size() <= 253 && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string_view::npos;
}

Result<void> check_permission(const Permission& permission, const GroupSpec& group) {
  if (!permission.group_id.empty() && !is_safe_id(permission.group_id)) return bad("peer group", permission.group_id, group.id);
  if (!permission.cidr.empty() && permission.cidr.find(':') == std::string::npos && !parse_ipv4_block(permission.cidr))
    return bad("peer", permission.cidr, group.id);
  return {};
}

}  // namespace

std::string dns_address(const VpcSpec& vpc) {
  const auto range = parse_ipv4_block(vpc.cidr);
  return range ? format_ipv4(range->base + 2) : std::string();
}

std::string router_address(const std::string& subnet_cidr) {
  const auto range = parse_ipv4_block(subnet_cidr);
  return range ? format_ipv4(range->base + 1) : std::string();
}

Result<void> check(const VpcSpec& vpc) {
  if (!is_safe_id(vpc.id)) return bad("id", vpc.id, "a VPC");
  if (!parse_ipv4_block(vpc.cidr)) return bad("range", vpc.cidr, vpc.id);
  if (!is_host_name(vpc.domain)) return bad("domain", vpc.domain, vpc.id);
  for (const auto& subnet : vpc.subnets)
    if (!parse_ipv4_block(subnet)) return bad("subnet", subnet, vpc.id);
  return {};
}

Result<void> check(const InterfaceSpec& interface) {
  if (!is_safe_id(interface.id)) return bad("id", interface.id, "an interface");
  if (!is_safe_id(interface.vpc_id)) return bad("VPC", interface.vpc_id, interface.id);
  if (!parse_ipv4_block(interface.subnet_cidr)) return bad("subnet", interface.subnet_cidr, interface.id);
  if (!is_mac(interface.mac)) return bad("hardware address", interface.mac, interface.id);
  if (!parse_ipv4(interface.private_ip)) return bad("address", interface.private_ip, interface.id);
  if (!interface.public_ip.empty() && !parse_ipv4(interface.public_ip)) return bad("public address", interface.public_ip, interface.id);
  if (!is_host_name(interface.host_name)) return bad("host name", interface.host_name, interface.id);
  for (const auto& group : interface.group_ids)
    if (!is_safe_id(group)) return bad("group", group, interface.id);
  return {};
}

Result<void> check(const GroupSpec& group) {
  if (!is_safe_id(group.id)) return bad("id", group.id, "a group");
  if (!is_safe_id(group.vpc_id)) return bad("VPC", group.vpc_id, group.id);
  for (const auto* permissions : {&group.ingress, &group.egress})
    for (const auto& permission : *permissions)
      if (auto good = check_permission(permission, group); !good) return good;
  return {};
}

std::optional<Model> ModelFiles::load() const {
  Model model;
  if (!take(folder_ + "/vpc.json", [&](const json::object& object) { model.vpc = read_vpc(object); })) return std::nullopt;
  take_all(folder_ + "/groups", [&](const json::object& object) {
    auto group = read_group(object);
    model.groups[group.id] = std::move(group);
  });
  take_all(folder_ + "/interfaces", [&](const json::object& object) {
    auto interface = read_interface(object);
    model.interfaces[interface.id] = std::move(interface);
  });
  return model;
}

Result<void> ModelFiles::keep(const VpcSpec& vpc) const {
  for (const auto* name : {"/groups", "/interfaces"})
    if (auto made = make_folders(folder_ + name); !made) return made;
  return put(folder_ + "/vpc.json", write(vpc));
}

Result<void> ModelFiles::keep(const GroupSpec& group) const { return put(folder_ + "/groups/" + group.id + ".json", write(group)); }

Result<void> ModelFiles::keep(const InterfaceSpec& interface) const {
  return put(folder_ + "/interfaces/" + interface.id + ".json", write(interface));
}

void ModelFiles::forget_group(const std::string& id) const { std::remove((folder_ + "/groups/" + id + ".json").c_str()); }
void ModelFiles::forget_interface(const std::string& id) const { std::remove((folder_ + "/interfaces/" + id + ".json").c_str()); }

void ModelFiles::forget_all() const {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

}  // namespace brume::network
