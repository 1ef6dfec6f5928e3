// The daemon's options, which the operator may set. What lies where below BRUME_HOME is in docs/on_disk.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace brume::daemon {

// "eu-west-1" or "eu-west-1:2": a name and its number of zones (0: as many as --zones says).
struct RegionChoice {
  std::string name;
  std::int64_t zones = 0;
};
std::optional<RegionChoice> read_region(const std::string& text);

// How long guests have to shut down before their power is cut.
inline constexpr auto power_off_patience = std::chrono::seconds(20);

struct Configuration {
  std::string home = "/var/lib/brume";
  std::string address = "127.0.0.1";
  std::uint16_t port = 8773;
  bool simulate = false;
  bool tls = false;
  bool verbose = false;
  bool audit_reads = false;          // reads that succeeded are in the audit stream too
  bool clean_up = false;             // end what a daemon that died left, instead of starting one
  bool adopt_state = false;          // continue with a state that does not fit what the home holds
  std::string accelerator = "auto";  // "kvm", "tcg"
  std::string public_pool;           // ranges separated by commas; empty: chosen by the network engine
  std::string ipv6_pool;             // ranges separated by commas; empty: chosen by the network engine; "none"
  std::string uplink;                // the link on which proxy ARP answers for them; empty: none
  std::string private_domain;        // domain of the private addresses' names; empty: EC2's for the region
  std::string public_domain;
  std::string resolver;  // address of the host's resolver for names; empty: chosen by the network engine; "none"
  std::string region = "us-east-1";
  std::int64_t zones = 3;
  std::int64_t first_zones = 0;            // number of zones of `region` if given there; 0: `zones`
  std::vector<RegionChoice> more_regions;  // in addition to `region`, which is the first; each is a world of its own
  std::int64_t regions_of_host = 1;        // how many regions share the host's capacity
  bool is_further = false;                 // true in the configuration of a region after the first
  std::int64_t instance_limit = 0;
  std::vector<std::string> quotas;  // for every account: "vpcs=5", "addresses=none"
  double throttle = 0;              // factor of EC2's request rates, by account; 0: no limit
  bool any_image = false;           // in simulation an unknown image is made when somebody asks for it
  // Of an account; 0: no limit. Not set: EC2's, in simulation none.
  std::optional<std::int64_t> volume_limit;
  std::optional<std::int64_t> volume_gib_limit;
  std::int64_t guest_memory_mib = 0;  // of all guests together; 0: what the host has
  std::int64_t guest_processors = 0;  // 0: sixteen for each of the host's
  std::int64_t keep_terminated_seconds = 3600;
  double compute_units = 0;                   // EC2 compute units that a processor of this machine is worth; 0: by the accelerator
  std::string volume_limits = "provisioned";  // "off", "all": see volume_limits.hpp
  std::string image_cache = "/var/cache/brume/images";      // built starter images, shared by all homes of the host; empty: none
  std::string disk_trouble = "pause";                       // "error"
  std::optional<std::int64_t> status_checks_after_seconds;  // not set: 30, in simulation 1

  std::string path(const std::string& name) const { return home + "/" + name; }
  // The configuration of the n-th of `more_regions`.
  Configuration of_further(size_t n) const;
};

// From the command line and BRUME_HOME. Returns an exit code if there is nothing to run: help was printed, or the options are wrong.
struct CommandLine {
  Configuration configuration;
  std::optional<int> exit_code;
};
CommandLine read_command_line(int argc, char** argv);

}  // namespace brume::daemon
