// Runs nft on a transaction, and notices if somebody else has changed a namespace's tables meanwhile.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "engines/network/nft/ruleset.hpp"

namespace brume::network {

// Chains of others on the host whose policy drops forwarded packets ("ip filter FORWARD", as docker sets it). `listing` is the output of
// `nft -j list chains`. Pure.
std::vector<std::string> dropping_forward_chains(const std::string& listing);
std::string list_host_chains();

// The tables of one network namespace, or of the host. Threads: one at a time.
class Nft {
 public:
  explicit Nft(std::string network_namespace) : namespace_(std::move(network_namespace)) {}  // empty: the host

  enum class Applied { nothing, changed, repaired };  // repaired: somebody else had changed something since the last time
  // Brings the kernel to `wanted`: by the difference if only we have changed anything since the last time, else as a whole.
  Result<Applied> apply(const std::vector<Table>& wanted);
  Result<void> remove(const std::vector<Table>& tables);
  // Whether all these transactions of the kernel were ours. With none: whether nobody else has changed anything since ours.
  bool is_ours(const std::set<std::uint32_t>& generations) const;

 private:
  Result<void> run(const std::string& transaction) const;
  std::optional<std::uint32_t> generation() const;
  void note(std::uint32_t generation);

  std::string namespace_;  // name, not path
  std::vector<Table> in_force_;
  std::optional<std::uint32_t> generation_;  // generation of the kernel's tables after our last transaction
  std::set<std::uint32_t> ours_;             // generations that our last transactions made
  bool disturbed_ = false;                   // somebody else changed something, and it is not restored yet
};

}  // namespace brume::network
