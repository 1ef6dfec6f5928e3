#include "engines/network/names/dnsmasq.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <set>
#include "base/ipv4.hpp"

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "engines/network/names/names.hpp"
#include "engines/network/names/resolver.hpp"

namespace brume::network {
namespace {

namespace fs = std::filesystem;

// Files that remember which hardware address last had an address.
constexpr std::string_view released = "released-";

std::string netmask(const Ipv4Block& range) { return format_ipv4(range.mask()); }

// Removes files with other names. True: something was removed.
bool remove_others(const std::string& folder, const std::set<std::string>& wanted) {
  bool removed = false;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (!wanted.contains(entry.path().filename().string())) removed |= fs::remove(entry.path(), ignored);
  return removed;
}

// The addresses of one family: "192.0.2.1,192.0.2.2", "[2001:db8::1]".
std::string servers_of(const DhcpSpec& dhcp, bool ipv6) {
  std::vector<std::string> servers;
  for (const auto& address : dhcp.name_servers)
    if (parse_ipv6(address).has_value() == ipv6) servers.push_back(ipv6 ? "[" + address + "]" : address);
  return fmt::format("{}", fmt::join(servers, ","));
}

// Several names separated by blanks are one value of the option "domain-name", as in EC2. Guests that would take that for one domain's name
// ask for "domain-search" instead (RFC 3397).
std::string search_line(const DhcpSpec& dhcp) {
  std::vector<std::string> names;
  for (const auto name : split(dhcp.domain, ' '))
    if (!name.empty()) names.emplace_back(name);
  return names.size() < 2 ? std::string() : fmt::format("dhcp-option=option:domain-search,{}\n", fmt::join(names, ","));
}

// The router's advertisements say: ask DHCP for an address, and send everything to the router. A guest learns of its neighbours from nobody
// else.
std::string ipv6_lines(const VpcSpec& vpc) {
  if (!has_ipv6(vpc)) return {};
  // Names are resolved over IPv4, unless the option set has name servers of IPv6.
  const auto servers = servers_of(vpc.dhcp, true);
  std::string text = fmt::format("enable-ra\ndhcp-option=option6:dns-server{}{}\n", servers.empty() ? "" : ",", servers);
  // A question for a private name is answered with the private address only, because rules for IPv4 are not rules for IPv6.
  if (!vpc.domain.empty()) text += "dhcp-fqdn\n";
  for (const auto& subnet : vpc.subnets) {
    const auto range = parse_ipv6_block(subnet.cidr6);
    if (!range) continue;
    text += fmt::format("dhcp-range={},static,off-link,64,1h\n", format_ipv6(range->base));
    if (!vpc.domain.empty()) text += fmt::format("domain=ipv6.{},{}\n", vpc.domain, format_ipv6_block(*range));
  }
  return text;
}

}  // namespace

std::string dnsmasq_configuration(const VpcSpec& vpc, const DnsmasqPlace& place) {
  std::string text = fmt::format("# {}: written by brumed, changes are lost\n", vpc.id);
  const auto line = [&](std::string_view content) { text.append(content).append("\n"); };
  line("user=" + place.user);
  line("group=" + place.group);
  line("pid-file=" + place.folder + "/dnsmasq.pid");
  line("log-facility=" + place.folder + "/dnsmasq.log");
  line("quiet-dhcp");
  line(fmt::format("interface={}*", tap_prefix));
  line("except-interface=lo");
  line("\n# addresses");
  line("dhcp-authoritative\nleasefile-ro\nno-ping\ndhcp-lease-max=65536\ndhcp-ignore=tag:!known");
  line("dhcp-hostsdir=" + place.folder + "/leases");
  for (const auto& subnet : vpc.subnets) {
    const auto range = parse_ipv4_block(subnet.cidr);
    if (!range) continue;
    const auto tag = fmt::format("subnet{:08x}", range->base);
    line(fmt::format("dhcp-range=set:{},{},static,{},1h", tag, format_ipv4(range->base), netmask(*range)));
    line(fmt::format("dhcp-option=tag:{},option:router,{}", tag, router_address(subnet.cidr)));
  }
  text += ipv6_lines(vpc);
  const auto& dhcp = vpc.dhcp;
  const auto join = [](const std::vector<std::string>& addresses) { return fmt::format("{}", fmt::join(addresses, ",")); };
  // An omitted option has to be withdrawn explicitly, because dnsmasq sends its own default otherwise.
  const auto option = [&](std::string_view name, const std::string& value) {
    line(fmt::format("dhcp-option=option:{}{}{}", name, value.empty() ? "" : ",", value));
  };
  option("dns-server", dhcp.is_own ? dns_address(vpc) : servers_of(dhcp, false));
  if (!dhcp.is_own) option("domain-name", dhcp.domain);
  text += search_line(dhcp);
  if (!dhcp.time_servers.empty()) line("dhcp-option=option:ntp-server," + join(dhcp.time_servers));
  if (!dhcp.netbios_name_servers.empty()) line("dhcp-option=option:netbios-ns," + join(dhcp.netbios_name_servers));
  if (!dhcp.netbios_node_type.empty()) line("dhcp-option=option:netbios-nodetype," + dhcp.netbios_node_type);
  line("dhcp-option=option:mtu,1500");
  if (!vpc.domain.empty()) line(fmt::format("domain={0}\nlocal=/{0}/", vpc.domain));
  line("\n# names");
  line("no-hosts\nno-resolv\nbogus-priv\nlocalise-queries\ndns-forward-max=1000\ncache-size=1000");
  line("hostsdir=" + place.folder + "/names");
  // Each address of the VPC has its name, whether or not an interface has the address.
  if (!vpc.domain.empty())
    for (const auto& range : ranges_of<Ipv4>(vpc)) line(fmt::format("synth-domain={},{},ip-", vpc.domain, format_ipv4_block(range)));
  text += public_name_lines(vpc.names, place.pools);
  for (const auto& resolver : place.resolvers) line("server=" + resolver);
  return text;
}

std::string lease_line(const InterfaceSpec& interface) {
  auto text = interface.mac + "," + interface.private_ip;
  if (!interface.ipv6.empty()) text += ",[" + interface.ipv6.front() + "]";
  if (!interface.host_name.empty()) text += "," + interface.host_name;
  return text + "\n";
}

std::string name_lines(const InterfaceSpec& interface, const VpcSpec& vpc) {
  std::string text;
  // The first name of an address is the one in its reverse record.
  if (!interface.host_name.empty()) {
    text += interface.private_ip;
    if (!vpc.domain.empty()) text += " " + interface.host_name + "." + vpc.domain;
    text += " " + interface.host_name + "\n";
  }
  for (const auto& one : interface.more)
    if (!vpc.domain.empty()) text += fmt::format("{} {}.{}\n", one.private_ip, "ip-" + dashed(one.private_ip), vpc.domain);
  for (const auto& one : addresses_of(interface))
    if (vpc.names_public_addresses && vpc.internet_gateway && !one.public_ip.empty() && !vpc.names.public_domain.empty())
      text += one.private_ip + " " + public_name(one.public_ip, vpc.names.public_domain) + "\n";
  return text.empty() ? "# no name\n" : text;
}

std::string name_lines(const PeeringSpec& peering, const VpcSpec& vpc) {
  std::string text = fmt::format("# of {}\n", peering.peer_vpc_id);
  for (const auto& one : peering.names)
    if (!vpc.names.public_domain.empty()) text += one.private_ip + " " + public_name(one.public_ip, vpc.names.public_domain) + "\n";
  return text;
}

std::vector<std::string> reachable_resolvers(std::string_view resolv_conf) {
  constexpr Ipv4Block loopback{0x7F000000, 8};
  std::vector<std::string> resolvers;
  for (const auto line : split(resolv_conf, '\n')) {
    const auto text = trim(line);
    constexpr std::string_view keyword = "nameserver";
    if (!text.starts_with(keyword)) continue;
    const auto address = parse_ipv4(trim(text.substr(keyword.size())));
    if (address && !loopback.contains(*address) && *address != 0) resolvers.push_back(format_ipv4(*address));
  }
  return resolvers;
}

Result<void> Dnsmasq::start() {
  process_.end();
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(place_.folder, ignored))
    if (entry.path().filename().string().starts_with(released)) fs::remove(entry.path(), ignored);
  return process_.start();
}

Result<void> Dnsmasq::ensure(const Model& model) {
  if (auto made = make_dnsmasq_folder(place_.folder, place_.group); !made) return made;
  for (const auto* part : {"/leases", "/names"})
    if (auto made = make_folders(place_.folder + part, 0755); !made) return made;
  const auto untold = process_.begin_change();
  if (!untold) return fail(untold.error());
  bool changed = *untold;
  std::set<std::string> wanted;
  for (const auto& [id, interface] : model.interfaces) wanted.insert(id);
  changed |= remove_others(place_.folder + "/leases", wanted);
  for (const auto& peering : model.vpc.peerings) wanted.insert(peering.id);
  changed |= remove_others(place_.folder + "/names", wanted);
  bool peers_changed = false;
  for (const auto& peering : model.vpc.peerings) {
    const auto names = put_dnsmasq_file(place_.folder + "/names/" + peering.id, name_lines(peering, model.vpc));
    if (!names) return fail(names.error());
    peers_changed |= *names;
  }
  for (const auto& [id, interface] : model.interfaces) {
    const auto lease = put_dnsmasq_file(place_.folder + "/leases/" + id, lease_line(interface));
    const auto name = put_dnsmasq_file(place_.folder + "/names/" + id, name_lines(interface, model.vpc));
    if (!lease) return fail(lease.error());
    if (!name) return fail(name.error());
    changed |= *lease || *name;
  }
  const auto configured = put_dnsmasq_file(place_.folder + "/dnsmasq.conf", dnsmasq_configuration(model.vpc, place_));
  if (!configured) return fail(configured.error());
  if (*configured || changed || !process_.is_in_place()) {
    if (auto started = start(); !started) return started;
  } else if (peers_changed) {
    process_.read_again();
  }
  process_.end_change();
  return {};
}

// dnsmasq reserves an address for the machine that last leased it; if it moves to another machine, dnsmasq needs a fresh start.
bool Dnsmasq::forget_lease_of(const InterfaceSpec& interface) {
  const auto path = fmt::format("{}/{}{}", place_.folder, released, interface.private_ip);
  const auto before = read_file(path, 64);
  if (!before) return false;
  std::remove(path.c_str());
  return trim(*before) != interface.mac;
}

Result<void> Dnsmasq::put(const InterfaceSpec& interface, const VpcSpec& vpc) {
  const auto lease_path = place_.folder + "/leases/" + interface.id;
  const bool known = path_exists(lease_path);
  const auto untold = process_.begin_change();
  if (!untold) return fail(untold.error());
  const auto lease = put_dnsmasq_file(lease_path, lease_line(interface));
  const auto name = put_dnsmasq_file(place_.folder + "/names/" + interface.id, name_lines(interface, vpc));
  if (!lease) return fail(lease.error());
  if (!name) return fail(name.error());
  if (forget_lease_of(interface) || *untold || !process_.id()) {
    if (auto started = start(); !started) return started;
  } else if (known && (*lease || *name)) {
    process_.read_again();
  }
  process_.end_change();
  return {};
}

Result<void> Dnsmasq::remove(const InterfaceSpec& interface) {
  const auto files = {place_.folder + "/leases/" + interface.id, place_.folder + "/names/" + interface.id};
  if (std::none_of(files.begin(), files.end(), path_exists)) return {};
  const auto untold = process_.begin_change();
  if (!untold) return fail(untold.error());
  // First: without it nobody would know that the address must not stay with this machine.
  const auto mark = fmt::format("{}/{}{}", place_.folder, released, interface.private_ip);
  if (auto kept = put_dnsmasq_file(mark, interface.mac + "\n"); !kept) return fail(kept.error());
  for (const auto& file : files)
    if (std::remove(file.c_str()) != 0 && errno != ENOENT) return fail_system("cannot remove " + file, errno);
  process_.read_again();
  // What it was not told before may be more than it reads again: then the next change restarts it.
  if (!*untold) process_.end_change();
  return {};
}

void Dnsmasq::stop() {
  process_.end();
  std::error_code ignored;
  fs::remove_all(place_.folder, ignored);
}

}  // namespace brume::network
