#include "engines/network/dnsmasq.hpp"

#include <grp.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "engines/network/names.hpp"

namespace brume::network {
namespace {

namespace fs = std::filesystem;

// Files that remember which hardware address last had an address.
constexpr std::string_view released = "released-";

std::string netmask(const Ipv4Block& range) { return format_ipv4(range.mask()); }

// True when the file's content changed or is new. Readable for dnsmasq's group, for nobody else.
Result<bool> put_file(const std::string& path, const std::string& content) {
  if (const auto now = read_file(path); now && *now == content) return false;
  // Never a second name in the folder: dnsmasq would read the draft too.
  std::ofstream file(path, std::ios::trunc);
  file << content;
  if (!file.flush()) return fail(ErrorKind::exhausted, "cannot write " + path);
  ::chmod(path.c_str(), 0644);
  return true;
}

// Removes what no interface in `wanted` has. True: something went.
bool remove_others(const std::string& folder, const std::map<std::string, InterfaceSpec>& wanted) {
  bool removed = false;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (!wanted.contains(entry.path().filename().string())) removed |= fs::remove(entry.path(), ignored);
  return removed;
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
  const auto& dhcp = vpc.dhcp;
  const auto join = [](const std::vector<std::string>& addresses) { return fmt::format("{}", fmt::join(addresses, ",")); };
  line("dhcp-option=option:dns-server," + (dhcp.name_servers.empty() ? dns_address(vpc) : join(dhcp.name_servers)));
  if (!dhcp.domain.empty()) line("dhcp-option=option:domain-name," + dhcp.domain);
  if (!dhcp.time_servers.empty()) line("dhcp-option=option:ntp-server," + join(dhcp.time_servers));
  if (!dhcp.netbios_name_servers.empty()) line("dhcp-option=option:netbios-ns," + join(dhcp.netbios_name_servers));
  if (!dhcp.netbios_node_type.empty()) line("dhcp-option=option:netbios-nodetype," + dhcp.netbios_node_type);
  line("dhcp-option=option:mtu,1500");
  if (!vpc.domain.empty()) line(fmt::format("domain={0}\nlocal=/{0}/", vpc.domain));
  line("\n# names");
  line("no-hosts\nno-resolv\nbogus-priv\nlocalise-queries\ndns-forward-max=1000\ncache-size=1000");
  line("hostsdir=" + place.folder + "/names");
  for (const auto& resolver : place.resolvers) line("server=" + resolver);
  return text;
}

std::string lease_line(const InterfaceSpec& interface) {
  auto text = interface.mac + "," + interface.private_ip;
  if (!interface.host_name.empty()) text += "," + interface.host_name;
  return text + "\n";
}

std::string name_line(const InterfaceSpec& interface, const std::string& domain) {
  if (interface.host_name.empty()) return "# no name\n";
  auto text = interface.private_ip;
  if (!domain.empty()) text += " " + interface.host_name + "." + domain;
  return text + " " + interface.host_name + "\n";
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

// The process of the pid file, when it really is ours: our configuration on its command line, and in the namespace that has the name now.
std::optional<int> Dnsmasq::process() const {
  const auto text = read_file(place_.folder + "/dnsmasq.pid", 64);
  if (!text) return std::nullopt;
  const auto number = parse_integer(trim(*text));
  if (!number || *number <= 1) return std::nullopt;
  const auto folder = fmt::format("/proc/{}", *number);
  const auto command = read_file(folder + "/cmdline", 4096);
  if (!command || command->find(place_.folder + "/dnsmasq.conf") == std::string::npos) return std::nullopt;
  return static_cast<int>(*number);
}

Result<void> Dnsmasq::start() {
  end_process();
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(place_.folder, ignored))
    if (entry.path().filename().string().starts_with(released)) fs::remove(entry.path(), ignored);
  fs::remove(place_.folder + "/dnsmasq.pid", ignored);
  Command command;
  command.program = "dnsmasq";
  command.arguments = {"--conf-file=" + place_.folder + "/dnsmasq.conf"};
  command.network_namespace = namespace_path(namespace_);
  // It goes into the background once its sockets are bound.
  auto done = run_checked(command, seconds(10));
  if (!done) return fail(done.error().within("cannot start DHCP and DNS of " + namespace_));
  return {};
}

void Dnsmasq::end_process() {
  const auto running = process();
  if (!running) return;
  const auto began = process_start_time(*running);
  // It takes its pid file away before it lets go of its sockets: only the process itself tells that it is gone.
  for (int tries = 0; began && process_start_time(*running) == began && tries < 200; ++tries) {
    ::kill(*running, tries < 100 ? SIGTERM : SIGKILL);
    std::this_thread::sleep_for(milliseconds(5));
  }
}

void Dnsmasq::read_again() const {
  if (const auto running = process()) ::kill(*running, SIGHUP);
}

Result<void> Dnsmasq::ensure(const Model& model) {
  for (const auto* part : {"", "/leases", "/names"})
    if (auto made = make_folders(place_.folder + part, 0755); !made) return made;
  // Who else is on this host need not know the guests' names and addresses.
  if (const auto* group = ::getgrnam(place_.group.c_str());
      group == nullptr || ::chown(place_.folder.c_str(), 0, group->gr_gid) != 0 || ::chmod(place_.folder.c_str(), 0750) != 0)
    return fail(ErrorKind::system, "cannot give " + place_.folder + " to group " + place_.group);
  bool changed = remove_others(place_.folder + "/leases", model.interfaces);
  changed |= remove_others(place_.folder + "/names", model.interfaces);
  for (const auto& [id, interface] : model.interfaces) {
    const auto lease = put_file(place_.folder + "/leases/" + id, lease_line(interface));
    const auto name = put_file(place_.folder + "/names/" + id, name_line(interface, model.vpc.domain));
    if (!lease) return fail(lease.error());
    if (!name) return fail(name.error());
    changed |= *lease || *name;
  }
  const auto configured = put_file(place_.folder + "/dnsmasq.conf", dnsmasq_configuration(model.vpc, place_));
  if (!configured) return fail(configured.error());
  const auto running = process();
  struct stat theirs {};
  struct stat ours {};
  const bool in_place = running && ::stat(fmt::format("/proc/{}/ns/net", *running).c_str(), &theirs) == 0 &&
                        ::stat(namespace_path(namespace_).c_str(), &ours) == 0 && theirs.st_ino == ours.st_ino;
  if (!in_place || *configured || changed) return start();
  return {};
}

// dnsmasq keeps an address for whoever last leased it; an address that goes to another machine needs a fresh start.
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
  const auto lease = put_file(lease_path, lease_line(interface));
  const auto name = put_file(place_.folder + "/names/" + interface.id, name_line(interface, vpc.domain));
  if (!lease) return fail(lease.error());
  if (!name) return fail(name.error());
  if (forget_lease_of(interface) || !process()) return start();
  if (known && (*lease || *name)) read_again();
  return {};
}

void Dnsmasq::remove(const InterfaceSpec& interface) {
  std::error_code ignored;
  const bool lease = fs::remove(place_.folder + "/leases/" + interface.id, ignored);
  const bool name = fs::remove(place_.folder + "/names/" + interface.id, ignored);
  if (!lease && !name) return;
  std::ofstream(fmt::format("{}/{}{}", place_.folder, released, interface.private_ip)) << interface.mac << '\n';
  read_again();
}

void Dnsmasq::stop() {
  end_process();
  std::error_code ignored;
  fs::remove_all(place_.folder, ignored);
}

}  // namespace brume::network
