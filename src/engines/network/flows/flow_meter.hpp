// Counts what passes a VPC's interfaces and what is refused there, for flow logs. The kernel counts: conntrack counts each connection,
// nflog reports dropped packets. No packet waits for us: what comes faster than it is read is lost, and the loss is reported.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/descriptor.hpp"
#include "base/result.hpp"
#include "engines/network/netlink/connections.hpp"
#include "engines/network/network_engine.hpp"
#include "engines/network/vpc/model.hpp"

namespace brume::network {

// Dropped packets are reported to this group of nflog. Their prefix says whether they were refused when leaving or when entering an
// interface, and whether they would have begun a connection or belong to one that conntrack knows and so has counted; else nothing.
inline constexpr int refusal_group = 66;
inline constexpr std::string_view refused_leaving = "out";
inline constexpr std::string_view refused_coming = "in";
inline constexpr std::string_view refused_new = " new";
inline constexpr std::string_view refused_known = " known";

// Threads: one at a time, in the VPC's namespace.
class FlowMeter {
 public:
  // Counts from now on; succeeds also if it already does.
  Result<void> begin();
  void end();
  bool runs() const { return static_cast<bool>(refusals_); }
  // What was counted since begin() or the last call.
  TakenFlows take(const Model& model);
  // The interface loses its addresses: what they did until now is still its own.
  void remember(const InterfaceSpec& interface);

  // The interface of an address, private or public, and the other of the two.
  struct Owner {
    std::string interface_id;
    std::uint32_t private_ip = 0;
    std::uint32_t public_ip = 0;
  };
  using Owners = std::map<std::uint32_t, Owner>;

 private:
  using Known = std::unordered_map<std::uint64_t, FlowCounts>;

  Descriptor refusals_;
  Descriptor ended_;  // connections that have ended
  Known known_;       // what was already reported of each connection
  Owners gone_;       // since the last call
};

}  // namespace brume::network
