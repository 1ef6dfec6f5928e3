// What every service's actions stand on: the state, the clock, what the installation is. Built once, in src/daemon/daemon.cpp.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "domain/zones.hpp"
#include "state/store.hpp"

namespace brume::service {

using domain::Zone;

// How much of it one account may have (STO-006), wherever it came from; 0: no limit.
struct StorageQuotas {
  std::int64_t volumes = 5000;
  std::int64_t volume_gib = 20 * 1024;
  std::int64_t snapshots = 100'000;
};

// One of the installation's regions as clients find it.
struct RegionEndpoint {
  std::string name;
  std::string endpoint;  // "http://127.0.0.1:8773"
};

// What the operator decides about the installation.
struct Settings {
  std::string region = "us-east-1";
  std::vector<RegionEndpoint> regions;  // all of them, this one among them
  std::string partition = "aws";
  std::vector<Zone> zones;  // as the first account calls them; see domain/zones.hpp
  std::string private_domain = "ec2.internal";
  std::string public_domain = "compute-1.amazonaws.com";
  std::string host_name;            // of this machine
  std::string host;                 // the id of its record
  std::string endpoint;             // "http://127.0.0.1:8773"
  std::int64_t instance_limit = 0;  // per account; 0: as many as the machine can hold
  StorageQuotas storage;
  bool simulated = false;
  std::string no_tunnels;                          // why this host cannot have IPsec tunnels; empty: it can
  milliseconds status_checks_after = seconds(30);  // a guest that has run for so long passes its status checks
};

struct ConsoleText {
  std::string text;
  Time written{};
};

// The last of what an instance wrote to its serial port. Implemented by control, which alone may ask an engine. May wait for a disk.
using ConsoleReader = std::function<std::optional<ConsoleText>(const std::string& instance_id, size_t limit)>;

// A JPEG of what an instance shows on its screen now; `wake`: press a key first. Waits for the machine.
using ScreenReader = std::function<Result<std::string>(const std::string& instance_id, bool wake)>;

// The bytes of snapshots, in blocks of 512 KiB, for clients that read and write them themselves. Implemented by control; all of it waits.
// The snapshot is there and in the right state when the action looked; what went since is `not_found`.
struct SnapshotBlocks {
  // Numbers of blocks in order, as first and count.
  using Runs = std::vector<std::pair<std::int64_t, std::int64_t>>;
  struct Changes {
    bool related = true;
    Runs runs;
  };
  std::function<Result<Runs>(const std::string& snapshot_id)> blocks;
  std::function<Result<Changes>(const std::string& snapshot_id, const std::string& since)> changed;
  std::function<Result<std::string>(const std::string& snapshot_id, std::int64_t block)> read;
  std::function<Result<void>(const std::string& snapshot_id, std::int64_t block, std::string_view data)> write;
  // Of one that is being written: the blocks that were, and the SHA-256 over the SHA-256s of all of them in their order.
  struct Written {
    std::int64_t blocks = 0;
    std::string digest;
  };
  std::function<Result<Written>(const std::string& snapshot_id, bool with_digest)> written;
  // Makes a snapshot of what was written; from then on it is completed.
  std::function<Result<void>(const std::string& snapshot_id)> complete;
};

// The IPv4 addresses that a name leads to, as this host's resolvers say. Waits for them.
using NameLookup = std::function<std::vector<std::string>(const std::string& name)>;

// Of a VPN connection's tunnels, as the network says at the time. May wait for a program.
struct TunnelStatus {
  std::string outside_ip;
  bool up = false;
  Time since{};
};
using TunnelReader = std::function<std::vector<TunnelStatus>(const std::string& vpc_id)>;

class Evaluator;
// Lets the root of an account do everything in it, and nobody else anything (authorization.hpp). It lives as long as the program.
const Evaluator& only_root();

struct Services {
  state::Store& store;
  const Clock& clock;
  Random& random;
  const Settings& settings;
  ConsoleReader console;
  std::string token_key = {};  // of NextTokens (ec2/common/paging.hpp): a secret
  ScreenReader screen{};
  SnapshotBlocks snapshot_blocks{};
  NameLookup look_up_name{};
  TunnelReader tunnels{};
  const Evaluator& evaluator = only_root();  // who may do what
};

}  // namespace brume::service
