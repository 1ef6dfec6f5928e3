// What the operator may decide: the daemon's options, and where things lie below BRUME_HOME.
//
//   state.db            the state, mode 0600            metadata.key   signs metadata session tokens, 0600
//   admin.sock          the operator's socket, 0600     brumed.pid     of the running daemon, locked while it runs
//   brumed.log          written by 'brume up'           tls/           certificate and key, made at first use
//   machines/           one folder a running machine    blocks/        volumes, snapshots, kernels
//   network/            DHCP and DNS files, the mark    images/        starter images that are put in or wanted, and what their recipes
//   said instance-types.tsv  the operator's own types         brumed.conf    the operator's options identity/           key (0600) and
//   certificate of the identity documents home-id             which state.db belongs to this home regions/NAME/       all of this once
//   more, for each region after the first
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace brume::daemon {

// "eu-west-1" or "eu-west-1:2": a name, and how many zones it has (0: as many as --zones says).
struct RegionChoice {
  std::string name;
  std::int64_t zones = 0;
};
std::optional<RegionChoice> read_region(const std::string& text);

// How long guests that are asked to shut down have until their power is cut.
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
  bool adopt_state = false;          // go on with a state that does not fit what the home holds
  std::string accelerator = "auto";  // "kvm", "tcg"
  std::string public_pool;           // ranges with commas between; empty: chosen by the network engine
  std::string ipv6_pool;             // ranges with commas between; empty: chosen by the network engine; "none"
  std::string uplink;                // link that answers for them; empty: none
  std::string private_domain;        // of the private addresses' names; empty: EC2's for the region
  std::string public_domain;
  std::string resolver;  // where on the host names can be asked for; empty: chosen by the network engine; "none"
  std::string region = "us-east-1";
  std::int64_t zones = 3;
  std::int64_t first_zones = 0;            // of `region`, where it says so itself; 0: `zones`
  std::vector<RegionChoice> more_regions;  // besides `region`, which is the first; each is a world of its own
  std::int64_t regions_of_host = 1;        // which share what the host has
  bool is_further = false;                 // of a region after the first: this is its own configuration
  std::int64_t instance_limit = 0;
  std::vector<std::string> quotas;  // of every account: "vpcs=5", "addresses=none"
  double throttle = 0;              // of EC2's rates of requests, by account; 0: none
  bool any_image = false;           // in simulation an unknown image is made when somebody asks for it
  // Of an account; 0: no limit. Not said: EC2's, in simulation none.
  std::optional<std::int64_t> volume_limit;
  std::optional<std::int64_t> volume_gib_limit;
  std::int64_t guest_memory_mib = 0;  // of all guests together; 0: what the host has
  std::int64_t guest_processors = 0;  // 0: sixteen for each of the host's
  std::int64_t keep_terminated_seconds = 3600;
  double compute_units = 0;                                 // ECU that a processor of this machine is worth; 0: by the accelerator
  std::string volume_limits = "provisioned";                // "off", "all": see volume_limits.hpp
  std::string image_cache = "/var/cache/brume/images";      // built starter images, for all homes of the host; empty: none
  std::string disk_trouble = "pause";                       // "error"
  std::optional<std::int64_t> status_checks_after_seconds;  // not said: 30, in simulation 1

  std::string path(const std::string& name) const { return home + "/" + name; }
  // Of the n-th of `more_regions`.
  Configuration of_further(size_t n) const;
};

// From the command line and BRUME_HOME. An exit code instead when there is nothing to run: help was printed, or the options are wrong.
struct CommandLine {
  Configuration configuration;
  std::optional<int> exit_code;
};
CommandLine read_command_line(int argc, char** argv);

}  // namespace brume::daemon
