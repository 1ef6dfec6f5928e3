// Runs nft on a transaction, and notices when somebody else has changed a namespace's tables meanwhile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "engines/network/ruleset.hpp"

namespace brume::network {

// Chains of others on the host whose policy drops forwarded packets ("ip filter FORWARD", as docker sets it). `listing` is what
// `nft -j list chains` says. Pure.
std::vector<std::string> dropping_forward_chains(const std::string& listing);
std::string list_host_chains();

// The tables of one network namespace, or of the host. Threads: one at a time.
class Nft {
 public:
  explicit Nft(std::string network_namespace) : namespace_(std::move(network_namespace)) {}  // empty: the host

  // Brings the kernel to `wanted`: by the difference where only we have changed anything since the last time, else as a whole. True:
  // something was done.
  Result<bool> apply(const std::vector<Table>& wanted);
  Result<void> remove(const std::vector<Table>& tables);

 private:
  Result<void> run(const std::string& transaction) const;
  std::optional<std::uint32_t> generation() const;

  std::string namespace_;  // name, not path
  std::vector<Table> in_force_;
  std::optional<std::uint32_t> generation_;  // of the kernel's tables behind our last transaction
};

}  // namespace brume::network
