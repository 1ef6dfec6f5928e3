#include <arpa/inet.h>
#include <netinet/in.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <set>
#include <string_view>

#include "base/files.hpp"
#include "base/text.hpp"
#include "daemon/accounts.hpp"
#include "daemon/configuration.hpp"

namespace brume::daemon {
namespace {

// The home that the options will name: its brumed.conf is read before the options are.
std::string home_of(int argc, char** argv, std::string fallback) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("--home=")) return std::string(argument.substr(7));
    if (argument == "--home" && i + 1 < argc) return argv[i + 1];
  }
  if (const char* home = std::getenv("BRUME_HOME"); home != nullptr && *home != '\0') return home;
  return fallback;
}

// The port that this home had last, because clients know it. None for a simulation, which has no home.
std::optional<std::uint16_t> port_before(int argc, char** argv, const std::string& home) {
  if (std::any_of(argv, argv + argc, [](const char* argument) { return std::string_view(argument) == "--simulate"; })) return std::nullopt;
  const auto kept = read_file(home + "/port", 64);
  const auto port = kept ? parse_integer(trim(*kept)) : std::nullopt;
  if (!port || *port < 1 || *port > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(*port);
}

void add_storage_options(CLI::App& app, Configuration& c) {
  app.add_option("--volume-limit", c.volume_limit, "Most volumes of an account; 0: no limit; default: 5000 (no limit with --simulate)")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40));
  app.add_option("--volume-storage-limit", c.volume_gib_limit,
                 "Most GiB of volumes of an account; 0: no limit; default: 20480 (no limit with --simulate)")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40));
  app.add_option("--volume-throttle", c.volume_limits,
                 "Volumes that are held to the IOPS and throughput of their type: off, provisioned (io1, io2, gp3) or all")
      ->check(CLI::IsMember({"off", "provisioned", "all"}))
      ->capture_default_str();
  app.add_option("--disk-trouble", c.disk_trouble,
                 "What a guest meets when a disk of the host is full or fails: pause until it works again, or an I/O error")
      ->check(CLI::IsMember({"pause", "error"}))
      ->capture_default_str();
}

// An empty address ("--listen $UNSET") would mean all addresses of the host, even for a simulation that asks for no key.
std::string wrong_address(const std::string& text) {
  unsigned char bytes[sizeof(in6_addr)];
  const bool is_address = ::inet_pton(AF_INET, text.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, text.c_str(), bytes) == 1;
  return is_address ? std::string() : "an address to listen on is an IP address such as 127.0.0.1 or ::1";
}

// An empty path would be the root of the file system.
std::string wrong_folder(const std::string& text) { return text.empty() ? "a folder has a name" : std::string(); }

std::string wrong_region(const std::string& text) {
  return read_region(text) ? std::string() : "a region is a name such as eu-west-1, or eu-west-1:2 with its number of zones, 1 to 6";
}

std::string wrong_quota(const std::string& text) {
  return read_quota(text) ? std::string() : "a quota is a name and a number, such as vpcs=5, or none; brume account limit lists them";
}

// The first one is the home region.
std::string take_regions(const std::vector<std::string>& names, Configuration& c) {
  std::set<std::string> seen;
  for (const auto& text : names) {
    const auto region = *read_region(text);
    if (!seen.insert(region.name).second) return "the region " + region.name + " is named twice";
    if (seen.size() > 1) {
      c.more_regions.push_back(region);
      continue;
    }
    c.region = region.name;
    if (region.zones > 0) c.first_zones = region.zones;
  }
  c.regions_of_host = static_cast<std::int64_t>(seen.size());
  return {};
}

void add_network_options(CLI::App& app, Configuration& c, std::vector<std::string>& regions) {
  app.add_option("--port", c.port, "Port to serve the API on; 0: any free one")->capture_default_str();
  app.add_option("--listen", c.address, "Address to serve the API on; 0.0.0.0 or ::: all")
      ->capture_default_str()
      ->check(CLI::Validator(wrong_address, "ADDRESS"));
  app.add_option("--public-pool", c.public_pool,
                 "Ranges of public addresses, such as 198.18.7.0/24,203.0.113.8/29; default: one that this machine does not use")
      ->join(',');
  app.add_option("--ipv6-pool", c.ipv6_pool,
                 "Ranges of IPv6 that VPCs get a /56 of, such as 2001:db8:1200::/40, routed to this machine; none: no IPv6. Default: a /48 "
                 "for local use (RFC 4193), made at the first start")
      ->join(',');
  app.add_option(
      "--uplink", c.uplink,
      "Network link, such as eth0, whose network the public addresses are of: this machine answers for those in use (proxy ARP). "
      "Default: none, they are routed to this machine");
  app.add_option("--private-domain", c.private_domain, "Domain of private addresses' names; default: EC2's, such as ec2.internal");
  app.add_option("--public-domain", c.public_domain, "Domain of public addresses' names; default: EC2's, such as compute-1.amazonaws.com");
  app.add_option("--resolver", c.resolver,
                 "Loopback address at which this machine can ask for instances' names (brume status says it), or none; default: one that "
                 "no other installation has");
  app.add_option("--region", regions, "Name of the region, or NAME:ZONES; several: each a world of its own, on ports counted from --port")
      ->allow_extra_args(false)
      ->check(CLI::Validator(wrong_region, "NAME[:ZONES]"));
  app.add_option("--zones", c.zones, "Number of availability zones")->check(CLI::Range(1, 6))->capture_default_str();
}

// Options about how much instances and volumes may use, and how it is counted.
void add_limits(CLI::App& app, Configuration& c) {
  app.add_option("--instance-limit", c.instance_limit, "Most instances of an account, pending or running; 0: no limit")
      ->capture_default_str();
  app.add_option("--quota", c.quotas,
                 "Quota of every account, such as vpcs=5 or addresses=none; several; default: EC2's (those of an account: none with "
                 "--simulate)")
      ->allow_extra_args(false)
      ->check(CLI::Validator(wrong_quota, "NAME=NUMBER"));
  app.add_option(
         "--throttle", c.throttle,
         "Requests that an account may send, as a multiple of EC2's rates; beyond it they answer RequestLimitExceeded; 0: any number")
      ->check(CLI::Range(0.0, 1000.0))
      ->capture_default_str();
  app.add_option("--guest-memory", c.guest_memory_mib,
                 "MiB of memory that instances may take together; 0: what the host has, less 512 MiB (no limit with --simulate)")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40))
      ->capture_default_str();
  app.add_option("--guest-processors", c.guest_processors,
                 "Virtual processors that instances may take together; 0: 16 for each of the host (no limit with --simulate)")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40))
      ->capture_default_str();
  app.add_option("--keep-terminated", c.keep_terminated_seconds, "Seconds for which a terminated instance is still described")
      ->check(CLI::Range(0, 86400))
      ->capture_default_str();
  app.add_option("--ecu-per-processor", c.compute_units,
                 "EC2 compute units that one processor of this machine is worth; 0: 4 with KVM, 1 emulated")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  add_storage_options(app, c);
  app.add_option("--image-cache", c.image_cache, "Folder of built starter images, for all clouds of this host; empty: each builds its own")
      ->capture_default_str();
  app.add_option("--status-checks-after", c.status_checks_after_seconds,
                 "Seconds that a guest has to run until it passes its status checks; default: 30, with --simulate 1")
      ->check(CLI::Range(0, 3600));
}

}  // namespace

std::optional<RegionChoice> read_region(const std::string& text) {
  const auto colon = text.find(':');
  RegionChoice region{text.substr(0, colon), 0};
  if (region.name.empty() || region.name.size() > 32 ||
      region.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos)
    return std::nullopt;
  if (colon == std::string::npos) return region;
  const auto zones = parse_integer(std::string_view(text).substr(colon + 1));
  if (!zones || *zones < 1 || *zones > 6) return std::nullopt;
  region.zones = *zones;
  return region;
}

Configuration Configuration::of_further(size_t n) const {
  auto own = *this;
  const auto& choice = more_regions.at(n);
  own.region = choice.name;
  own.first_zones = choice.zones;
  own.more_regions.clear();
  own.is_further = true;
  own.home = path("regions/" + choice.name);
  // An option that is given once belongs to the first region.
  own.public_pool.clear();
  if (own.ipv6_pool != "none") own.ipv6_pool.clear();
  own.uplink.clear();
  own.resolver.clear();
  own.private_domain.clear();
  own.public_domain.clear();
  if (port != 0) own.port = static_cast<std::uint16_t>(port + n + 1);
  return own;
}

CommandLine read_command_line(int argc, char** argv) {
  CommandLine result;
  auto& c = result.configuration;
  CLI::App app{
      "brumed: an Amazon EC2 on this machine.\n\n"
      "Runs in the foreground and logs to standard error. 'brume up' starts it in the background.\n"
      "With --simulate nothing real happens: for tests of infrastructure code, no root needed."};
  app.get_formatter()->column_width(34);
  app.add_option("--home", c.home, "Folder of all data")
      ->envname("BRUME_HOME")
      ->capture_default_str()
      ->check(CLI::Validator(wrong_folder, "FOLDER"));
  app.add_flag("--simulate", c.simulate,
               "Pretend: no machines, networks or disks; state in a temporary folder; any access key is accepted");
  app.add_flag("--any-image", c.any_image, "With --simulate: an image that nobody knows is made when a request names it");
  app.add_flag("--tls", c.tls, "Serve HTTPS; a certificate is made at first start (tls/ in the home folder)");
  app.add_option("--accelerator", c.accelerator, "auto, kvm or tcg; auto tries whether KVM really works")
      ->check(CLI::IsMember({"auto", "kvm", "tcg"}))
      ->capture_default_str();
  const auto home = home_of(argc, argv, c.home);
  c.port = port_before(argc, argv, home).value_or(c.port);
  std::vector<std::string> regions = {c.region};
  add_network_options(app, c, regions);
  add_limits(app, c);
  app.add_flag("--verbose", c.verbose, "Log more of what the daemon does, and each request that is refused");
  app.add_flag("--audit-reads", c.audit_reads, "Write reads that succeed into the audit stream too (audit/ in the home folder)");
  app.add_flag("--clean-up", c.clean_up,
               "Do not start: end the machines and networks that a daemon of this home left when it died. 'brume down' uses it")
      ->configurable(false);
  app.add_flag("--adopt-state", c.adopt_state,
               "Go on with a state.db that is not the one of what the home holds: what it does not know is set aside. For one start")
      ->configurable(false);
  app.set_config("--config", home + "/brumed.conf",
                 "These options from a file, one a line: zones = 2. What the command line says goes first");
  app.allow_config_extras(CLI::config_extras_mode::error);
  try {
    app.parse(argc, argv);
    if (const auto wrong = take_regions(regions, c); !wrong.empty()) throw CLI::ValidationError("--region", wrong);
    if (c.any_image && !c.simulate) throw CLI::ValidationError("--any-image", "images are only made up with --simulate");
  } catch (const CLI::ParseError& error) {
    result.exit_code = app.exit(error);
  }
  return result;
}

}  // namespace brume::daemon
