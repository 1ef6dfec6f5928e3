// A VPC's model as small JSON files. Names of members never change: a newer daemon reads what an older one wrote.
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <boost/json.hpp>

#include "base/files.hpp"
#include "base/log.hpp"
#include "engines/network/vpc/model.hpp"

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

template <class T, class Write>
json::array list(const std::vector<T>& values, Write write) {
  json::array array;
  for (const auto& value : values) array.push_back(write(value));
  return array;
}

template <class T, class Read>
std::vector<T> read_list(const json::object& object, std::string_view name, Read read) {
  std::vector<T> values;
  for (const auto& value : object.at(name).as_array()) values.push_back(read(value.as_object()));
  return values;
}

json::object write(const RouteSpec& route) {
  return {{"cidr", route.cidr}, {"target", static_cast<std::int64_t>(route.target)}, {"id", route.id}};
}

json::object write(const AclEntrySpec& entry) {
  return {{"egress", entry.egress},       {"allow", entry.allow},     {"protocol", entry.protocol},
          {"from_port", entry.from_port}, {"to_port", entry.to_port}, {"cidr", entry.cidr}};
}

json::object write(const DhcpSpec& dhcp) {
  return {{"is_own", dhcp.is_own},
          {"domain", dhcp.domain},
          {"name_servers", texts(dhcp.name_servers)},
          {"time_servers", texts(dhcp.time_servers)},
          {"netbios_name_servers", texts(dhcp.netbios_name_servers)},
          {"netbios_node_type", dhcp.netbios_node_type}};
}

json::object write(const NamesSpec& names) {
  json::object reverse;
  for (const auto& [address, name] : names.reverse) reverse[address] = name;
  return {{"public_domain", names.public_domain}, {"reverse", std::move(reverse)}};
}

json::object write(const VpnSpec& vpn) {
  const auto tunnel = [](const VpnSpec::Tunnel& one) { return json::object{{"outside_ip", one.outside_ip}, {"psk", one.psk}}; };
  return {{"id", vpn.id},
          {"customer_ip", vpn.customer_ip},
          {"local_cidr", vpn.local_cidr},
          {"remote_cidr", vpn.remote_cidr},
          {"tunnels", list(vpn.tunnels, tunnel)}};
}

json::object write(const AddressSpec& address) { return {{"private_ip", address.private_ip}, {"public_ip", address.public_ip}}; }

json::object write(const VpcSpec& vpc) {
  const auto subnet = [](const SubnetSpec& one) {
    return json::object{{"cidr", one.cidr}, {"route_table_id", one.route_table_id}, {"acl_id", one.acl_id}};
  };
  const auto table = [](const RouteTableSpec& one) {
    return json::object{{"id", one.id}, {"routes", list(one.routes, [](const RouteSpec& route) { return write(route); })}};
  };
  const auto acl = [](const AclSpec& one) {
    return json::object{{"id", one.id}, {"entries", list(one.entries, [](const AclEntrySpec& entry) { return write(entry); })}};
  };
  const auto nat = [](const NatSpec& one) { return json::object{{"id", one.id}, {"public_ip", one.public_ip}}; };
  const auto peering = [](const PeeringSpec& one) {
    return json::object{{"id", one.id},
                        {"peer_vpc_id", one.peer_vpc_id},
                        {"peer_cidrs", texts(one.peer_cidrs)},
                        {"names", list(one.names, [](const AddressSpec& address) { return write(address); })}};
  };
  const auto peer_group = [](const PeerGroupSpec& one) {
    return json::object{{"id", one.id}, {"addresses", texts(one.addresses)}, {"peering", one.peering_id}};
  };
  return {{"id", vpc.id},
          {"cidr", vpc.cidr},
          {"subnets", list(vpc.subnets, subnet)},
          {"domain", vpc.domain},
          {"more_cidrs", texts(vpc.more_cidrs)},
          {"internet_gateway", vpc.internet_gateway},
          {"dns", vpc.dns},
          {"route_tables", list(vpc.route_tables, table)},
          {"acls", list(vpc.acls, acl)},
          {"nats", list(vpc.nats, nat)},
          {"vpns", list(vpc.vpns, [](const VpnSpec& vpn) { return write(vpn); })},
          {"dhcp", write(vpc.dhcp)},
          {"peerings", list(vpc.peerings, peering)},
          {"peer_groups", list(vpc.peer_groups, peer_group)},
          {"names", write(vpc.names)},
          {"names_public_addresses", vpc.names_public_addresses},
          {"flow_logs", vpc.flow_logs}};
}

RouteSpec read_route(const json::object& object) {
  return {text(object, "cidr"), static_cast<RouteSpec::Target>(object.at("target").as_int64()), text(object, "id")};
}

AclEntrySpec read_acl_entry(const json::object& object) {
  return {object.at("egress").as_bool(),     object.at("allow").as_bool(),    text(object, "protocol"),
          object.at("from_port").as_int64(), object.at("to_port").as_int64(), text(object, "cidr")};
}

DhcpSpec read_dhcp(const json::object& object) {
  DhcpSpec dhcp;
  dhcp.domain = text(object, "domain");
  dhcp.name_servers = read_texts(object.at("name_servers"));
  // Version 0.2 had one set only, and omitted what it did not change.
  dhcp.is_own = object.contains("is_own") ? object.at("is_own").as_bool() : dhcp.domain.empty() && dhcp.name_servers.empty();
  dhcp.time_servers = read_texts(object.at("time_servers"));
  dhcp.netbios_name_servers = read_texts(object.at("netbios_name_servers"));
  dhcp.netbios_node_type = text(object, "netbios_node_type");
  return dhcp;
}

VpnSpec read_vpn(const json::object& object) {
  const auto tunnel = [](const json::object& one) { return VpnSpec::Tunnel{text(one, "outside_ip"), text(one, "psk")}; };
  return {text(object, "id"), text(object, "customer_ip"), text(object, "local_cidr"), text(object, "remote_cidr"),
          read_list<VpnSpec::Tunnel>(object, "tunnels", tunnel)};
}

NamesSpec read_names(const json::object& object) {
  NamesSpec names{text(object, "public_domain"), {}};
  for (const auto& [address, name] : object.at("reverse").as_object()) names.reverse[address] = name.as_string();
  return names;
}

AddressSpec read_address(const json::object& object) { return {text(object, "private_ip"), text(object, "public_ip")}; }

PeeringSpec read_peering(const json::object& object) {
  PeeringSpec peering{text(object, "id"), text(object, "peer_vpc_id"), read_texts(object.at("peer_cidrs"))};
  if (object.contains("names")) peering.names = read_list<AddressSpec>(object, "names", read_address);
  return peering;
}

VpcSpec read_vpc(const json::object& object) {
  VpcSpec vpc;
  vpc.id = text(object, "id");
  vpc.cidr = text(object, "cidr");
  // As version 0.1 wrote it: what is missing comes with the next call, and until then interfaces and groups stay as they are.
  if (!object.contains("route_tables")) {
    for (const auto& cidr : read_texts(object.at("subnets"))) vpc.subnets.push_back({cidr});
    return vpc;
  }
  vpc.subnets = read_list<SubnetSpec>(object, "subnets", [](const json::object& one) {
    return SubnetSpec{text(one, "cidr"), text(one, "route_table_id"), text(one, "acl_id")};
  });
  vpc.domain = text(object, "domain");
  vpc.more_cidrs = read_texts(object.at("more_cidrs"));
  vpc.internet_gateway = object.at("internet_gateway").as_bool();
  vpc.dns = object.at("dns").as_bool();
  vpc.route_tables = read_list<RouteTableSpec>(object, "route_tables", [](const json::object& one) {
    return RouteTableSpec{text(one, "id"), read_list<RouteSpec>(one, "routes", read_route)};
  });
  vpc.acls = read_list<AclSpec>(object, "acls", [](const json::object& one) {
    return AclSpec{text(one, "id"), read_list<AclEntrySpec>(one, "entries", read_acl_entry)};
  });
  vpc.nats = read_list<NatSpec>(object, "nats", [](const json::object& one) { return NatSpec{text(one, "id"), text(one, "public_ip")}; });
  vpc.dhcp = read_dhcp(object.at("dhcp").as_object());
  if (!object.contains("peerings")) return vpc;  // version 0.2
  vpc.peerings = read_list<PeeringSpec>(object, "peerings", read_peering);
  vpc.peer_groups = read_list<PeerGroupSpec>(object, "peer_groups", [](const json::object& one) {
    return PeerGroupSpec{text(one, "id"), read_texts(one.at("addresses")), one.contains("peering") ? text(one, "peering") : ""};
  });
  // From a version that did not say: nobody is let in until the next call.
  std::erase_if(vpc.peer_groups, [](const PeerGroupSpec& group) { return group.peering_id.empty(); });
  if (object.contains("flow_logs")) vpc.flow_logs = object.at("flow_logs").as_bool();
  if (!object.contains("names")) return vpc;
  vpc.names = read_names(object.at("names").as_object());
  if (object.contains("vpns")) vpc.vpns = read_list<VpnSpec>(object, "vpns", read_vpn);
  vpc.names_public_addresses = object.at("names_public_addresses").as_bool();
  return vpc;
}

// --- IPv6: members that exist only if there is IPv6 ---

void write_ipv6(const VpcSpec& vpc, json::object& to) {
  if (has_ipv6(vpc)) to["cidrs6"] = texts(vpc.cidrs6);
  json::object subnets;
  for (const auto& subnet : vpc.subnets)
    if (!subnet.cidr6.empty()) subnets[subnet.cidr] = subnet.cidr6;
  if (!subnets.empty()) to["subnets6"] = std::move(subnets);
  json::object tables;
  for (const auto& table : vpc.route_tables)
    if (!table.routes6.empty()) tables[table.id] = list(table.routes6, [](const RouteSpec& route) { return write(route); });
  if (!tables.empty()) to["routes6"] = std::move(tables);
}

void read_ipv6(const json::object& from, VpcSpec& vpc) {
  if (from.contains("cidrs6")) vpc.cidrs6 = read_texts(from.at("cidrs6"));
  if (const auto* subnets = from.if_contains("subnets6"))
    for (auto& subnet : vpc.subnets)
      if (const auto* range = subnets->as_object().if_contains(subnet.cidr)) subnet.cidr6 = range->as_string();
  if (const auto* tables = from.if_contains("routes6"))
    for (auto& table : vpc.route_tables)
      if (tables->as_object().contains(table.id)) table.routes6 = read_list<RouteSpec>(tables->as_object(), table.id, read_route);
}

// --- interfaces, groups ---

json::object write(const InterfaceSpec& one) {
  json::object content = {{"id", one.id},
                          {"vpc_id", one.vpc_id},
                          {"subnet_cidr", one.subnet_cidr},
                          {"mac", one.mac},
                          {"private_ip", one.private_ip},
                          {"public_ip", one.public_ip},
                          {"group_ids", texts(one.group_ids)},
                          {"host_name", one.host_name},
                          {"source_dest_check", one.source_dest_check},
                          {"user", one.user},
                          {"more", list(one.more, [](const AddressSpec& address) { return write(address); })}};
  if (!one.ipv6.empty()) content["ipv6"] = texts(one.ipv6);
  return content;
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
  if (object.contains("more")) one.more = read_list<AddressSpec>(object, "more", read_address);
  if (object.contains("ipv6")) one.ipv6 = read_texts(object.at("ipv6"));
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

// Whole or not at all, but not synced: after a power cut the kernel has lost its part too, and control repeats everything.
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

Result<void> forget(const std::string& path) {
  if (std::remove(path.c_str()) != 0 && errno != ENOENT) return fail_system("cannot remove " + path, errno);
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

}  // namespace

std::optional<Model> ModelFiles::load() const {
  Model model;
  if (!take(folder_ + "/vpc.json", [&](const json::object& object) {
        model.vpc = read_vpc(object);
        read_ipv6(object, model.vpc);
      }))
    return std::nullopt;
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
  auto content = write(vpc);
  write_ipv6(vpc, content);
  return put(folder_ + "/vpc.json", content);
}

Result<void> ModelFiles::keep(const GroupSpec& group) const { return put(folder_ + "/groups/" + group.id + ".json", write(group)); }

Result<void> ModelFiles::keep(const InterfaceSpec& interface) const {
  return put(folder_ + "/interfaces/" + interface.id + ".json", write(interface));
}

Result<void> ModelFiles::keep(const PendingCut& cut) const {
  if (auto made = make_folders(folder_); !made) return made;
  return put(folder_ + "/pending_cut.json", {{"addresses", cut.addresses}, {"lost_ranges", texts(cut.lost_ranges)}});
}

std::optional<PendingCut> ModelFiles::pending_cut() const {
  const auto path = folder_ + "/pending_cut.json";
  if (!path_exists(path)) return std::nullopt;
  PendingCut cut{true, {}};
  take(path, [&](const json::object& object) {
    cut.addresses = object.at("addresses").as_bool();
    cut.lost_ranges = read_texts(object.at("lost_ranges"));
  });
  return cut;
}

Result<void> ModelFiles::forget_pending_cut() const { return forget(folder_ + "/pending_cut.json"); }
Result<void> ModelFiles::forget_group(const std::string& id) const { return forget(folder_ + "/groups/" + id + ".json"); }
Result<void> ModelFiles::forget_interface(const std::string& id) const { return forget(folder_ + "/interfaces/" + id + ".json"); }

void ModelFiles::forget_all() const {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

}  // namespace brume::network
