#include "engines/network/vpn/charon.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/log.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "engines/host/namespaces.hpp"
#include "engines/host/processes.hpp"
#include "engines/network/names/names.hpp"

namespace brume::network {
namespace {

// Proposals that customers' devices have offered since 2011, and those they offer today; AWS accepts the same.
constexpr std::string_view ike_proposals =
    "aes256-sha256-modp2048,aes128-sha256-modp2048,aes256-sha1-modp2048,aes128-sha1-modp2048,aes128-sha1-modp1024";
constexpr std::string_view esp_proposals =
    "aes256-sha256-modp2048,aes128-sha256-modp2048,aes128-sha1-modp2048,aes128-sha1-modp1024,aes256-sha256,aes128-sha1";

// "vpn-0a…-1"
std::string name_of(const VpnSpec& vpn, size_t tunnel) { return fmt::format("{}-{}", vpn.id, tunnel + 1); }

bool is_in(const std::string& program) {
  for (const auto* folder : {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/", "/usr/local/sbin/"})
    if (::access((folder + program).c_str(), X_OK) == 0) return true;
  return false;
}

// The number after `name=` in a part of the listing.
std::optional<std::int64_t> number_after(std::string_view text, std::string_view name) {
  const auto at = text.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  const auto rest = text.substr(at + name.size());
  return parse_integer(rest.substr(0, rest.find_first_not_of("0123456789")));
}

}  // namespace

std::string charon_settings(const std::string& folder) {
  // Its routes go into a table that is consulted last, after the main one, which has a route to everywhere: the VPC's route tables decide
  // which packets enter a tunnel.
  return fmt::format(
      "# written by brumed, changes are lost\n"
      "charon-systemd {{\n"
      "  load = random nonce aes sha1 sha2 hmac kdf gmp kernel-libipsec kernel-netlink socket-default vici\n"
      "  install_routes = no\n"
      "  routing_table = 220\n"
      "  routing_table_prio = 40000\n"
      "  filelog {{\n"
      "    file {{\n"
      "      path = {0}/log\n"
      "      time_format = %FT%T\n"
      "      default = 0\n"
      "      ike = 1\n"
      "      cfg = 1\n"
      "      flush_line = yes\n"
      "    }}\n"
      "  }}\n"
      "  plugins {{\n"
      "    vici {{\n"
      "      socket = unix://{0}/vici\n"
      "    }}\n"
      "  }}\n"
      "}}\n"
      "swanctl {{\n"
      "  load = random\n"
      "}}\n",
      folder);
}

std::string charon_connections(const std::vector<VpnSpec>& vpns) {
  std::string connections = "# written by brumed, changes are lost\nconnections {\n";
  std::string secrets = "secrets {\n";
  for (const auto& vpn : vpns)
    for (size_t i = 0; i < vpn.tunnels.size(); ++i) {
      const auto& tunnel = vpn.tunnels[i];
      const auto name = name_of(vpn, i);
      // The customer initiates (ikev1 or ikev2). Always wrapped in UDP, because plain ESP is handled by the kernel.
      connections += fmt::format(
          "  {} {{\n    version = 0\n    local_addrs = {}\n    remote_addrs = {}\n    encap = yes\n    dpd_delay = 10s\n    proposals = "
          "{}\n"
          "    local {{\n      auth = psk\n      id = {}\n    }}\n    remote {{\n      auth = psk\n      id = %any\n    }}\n"
          "    children {{\n      net {{\n        local_ts = {}\n        remote_ts = {}\n        esp_proposals = {}\n        dpd_action = "
          "clear\n"
          "      }}\n    }}\n  }}\n",
          name, tunnel.outside_ip, vpn.customer_ip, ike_proposals, tunnel.outside_ip, vpn.remote_cidr, vpn.local_cidr, esp_proposals);
      // Identified by our address, which no other tunnel has: behind address translation a customer may call itself anything.
      secrets += fmt::format("  ike-{} {{\n    id = {}\n    secret = \"{}\"\n  }}\n", name, tunnel.outside_ip, tunnel.psk);
    }
  return connections + "}\n" + secrets + "}\n";
}

std::vector<TunnelState> read_tunnels(std::string_view listing, const std::vector<VpnSpec>& vpns) {
  std::vector<TunnelState> tunnels;
  for (const auto& vpn : vpns)
    for (size_t i = 0; i < vpn.tunnels.size(); ++i) {
      TunnelState state{vpn.id, vpn.tunnels[i].outside_ip, false, 0};
      for (const auto line : split(listing, '\n')) {
        const auto begin = line.find("{" + name_of(vpn, i) + " {");
        if (begin == std::string_view::npos) continue;
        const auto association = line.substr(begin);
        if (association.find("state=ESTABLISHED") == std::string_view::npos) continue;
        const auto child = association.find("child-sas {");
        if (child == std::string_view::npos || association.find("state=INSTALLED", child) == std::string_view::npos) continue;
        state.up = true;
        state.seconds = std::max(state.seconds, number_after(association, "established=").value_or(0));
      }
      tunnels.push_back(std::move(state));
    }
  return tunnels;
}

std::string why_no_tunnels() {
  for (const auto* program : {"charon-systemd", "swanctl"})
    if (!is_in(program)) return fmt::format("{} is not installed on this host", program);
  if (::access("/usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so", R_OK) != 0)
    return "strongSwan's plugin kernel-libipsec is not installed";
  if (::access("/dev/net/tun", R_OK | W_OK) != 0) return "this host has no /dev/net/tun";
  return {};
}

// Our process is identified by number and start time, and runs in the right namespace.
std::optional<int> Charon::process() const {
  const auto text = read_file(folder_ + "/process", 64);
  if (!text) return std::nullopt;
  const auto blank = text->find(' ');
  if (blank == std::string::npos) return std::nullopt;
  const auto id = parse_integer(text->substr(0, blank));
  const auto began = parse_integer(trim(std::string_view(*text).substr(blank)));
  if (!id || !began || process_start_time(static_cast<int>(*id)) != static_cast<std::uint64_t>(*began)) return std::nullopt;
  return static_cast<int>(*id);
}

void Charon::end() {
  if (const auto running = process()) host::end_process(*running, seconds(2));
}

Result<std::string> Charon::ask(const std::vector<std::string>& question) const {
  Command command;
  command.program = "swanctl";
  command.arguments = question;
  command.arguments.push_back("--uri");
  command.arguments.push_back("unix://" + folder_ + "/vici");
  command.environment = {{"STRONGSWAN_CONF", folder_ + "/strongswan.conf"}};
  auto done = run_checked(command, seconds(10));
  if (!done) return fail(done.error());
  return std::move(done->output);
}

Result<void> Charon::start() {
  end();
  std::error_code ignored;
  std::filesystem::remove(folder_ + "/vici", ignored);
  const auto start = [&](const std::string& notify) {
    Command command;
    command.program = "charon-systemd";
    command.environment = {{"STRONGSWAN_CONF", folder_ + "/strongswan.conf"}, {"NOTIFY_SOCKET", notify}};
    command.network_namespace = host::namespace_path(namespace_);
    return start_detached(command);
  };
  const auto started = host::start_and_wait_until_ready(folder_ + "/notify", start, seconds(10));
  if (!started) return fail(started.error().within("cannot start charon in " + namespace_ + " (" + folder_ + "/log may say why)"));
  const auto began = process_start_time(*started);
  if (!began) return fail(ErrorKind::broken, "charon ended at once in " + namespace_);
  return write_file(folder_ + "/process", fmt::format("{} {}\n", *started, *began), 0600);
}

// Connections that no longer exist still have their tunnels.
Result<void> Charon::end_forgotten(const std::vector<VpnSpec>& vpns) const {
  std::set<std::string> known;
  for (const auto& vpn : vpns)
    for (size_t i = 0; i < vpn.tunnels.size(); ++i) known.insert(name_of(vpn, i));
  auto listing = ask({"--list-sas", "--raw"});
  if (!listing) return fail(listing.error());
  for (const auto line : split(*listing, '\n')) {
    constexpr std::string_view begin = "list-sa event {";
    if (!line.starts_with(begin)) continue;
    const auto rest = line.substr(begin.size());
    const std::string name(rest.substr(0, rest.find(' ')));
    if (known.insert(name).second)
      if (auto ended = ask({"--terminate", "--ike", name, "--timeout", "2"}); !ended) return fail(ended.error());
  }
  return {};
}

Result<void> Charon::ensure(const std::vector<VpnSpec>& vpns) {
  if (vpns.empty()) {
    stop();
    return {};
  }
  if (auto made = make_folders(folder_, 0700); !made) return made;
  const auto settings = folder_ + "/strongswan.conf";
  const auto connections = folder_ + "/swanctl.conf";
  const auto wanted = charon_connections(vpns);
  if (auto written = write_file(settings, charon_settings(folder_), 0600); !written) return written;
  const auto before = read_file(connections);
  const auto running = process();
  struct stat theirs {};
  struct stat ours {};
  const bool in_place = running && ::stat(fmt::format("/proc/{}/ns/net", *running).c_str(), &theirs) == 0 &&
                        ::stat(host::namespace_path(namespace_).c_str(), &ours) == 0 && theirs.st_ino == ours.st_ino;
  if (in_place && before && *before == wanted) return {};
  if (in_place) {
    const auto told = tell(vpns, wanted);
    if (told) return {};
    log::warning("network", "charon in {} did not take its configuration and is restarted: {}", namespace_, told.error().message);
  }
  if (auto started = start(); !started) return started;
  auto told = tell(vpns, wanted);
  // Better no tunnel than one of a connection that no longer exists.
  if (!told) end();
  return told;
}

Result<void> Charon::tell(const std::vector<VpnSpec>& vpns, const std::string& wanted) const {
  const auto connections = folder_ + "/swanctl.conf";
  const auto draft = connections + ".new";
  if (auto written = write_file(draft, wanted, 0600); !written) return written;
  if (auto loaded = ask({"--load-all", "--clear", "--noprompt", "--file", draft}); !loaded) return fail(loaded.error());
  if (auto ended = end_forgotten(vpns); !ended) return ended;
  // Remembered only once all of it is in force: what failed is repeated.
  if (::rename(draft.c_str(), connections.c_str()) != 0) return fail_system("cannot rename " + draft, errno);
  return {};
}

Result<std::vector<TunnelState>> Charon::tunnels(const std::vector<VpnSpec>& vpns) const {
  if (!process()) return read_tunnels("", vpns);
  auto listing = ask({"--list-sas", "--raw"});
  if (!listing) return fail(listing.error());
  return read_tunnels(*listing, vpns);
}

void Charon::stop() {
  end();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

}  // namespace brume::network
