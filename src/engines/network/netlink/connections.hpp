// Conntrack of one network namespace: ends connections that are no longer allowed, and reads what was counted of them.
#pragma once

#include <functional>
#include <span>

#include "base/result.hpp"
#include "engines/network/flows/flows.hpp"

namespace brume::network {

// In the namespace of the calling thread. Returns how many connections were ended. The next packet of an ended one is judged as a new
// connection, and a TCP packet in the middle of nothing is dropped (nf_conntrack_tcp_loose=0). Handles the family of the given rules
// (FlowRules, FlowRules6).
template <class Rules>
Result<size_t> end_forbidden_connections(const Rules& rules);

// What was counted of a connection since it began, in both directions.
struct FlowCounts {
  std::int64_t packets = 0;
  std::int64_t bytes = 0;
  std::int64_t reply_packets = 0;
  std::int64_t reply_bytes = 0;
};
struct CountedFlow {
  Flow flow;
  std::uint64_t name = 0;  // identifies this connection as long as it lasts
  FlowCounts counts;
};
// Every connection of the calling thread's namespace.
Result<void> count_connections(const std::function<void(const CountedFlow&)>& take);
// Parses a conntrack message about one connection, after the netlink header.
CountedFlow read_counted(std::span<const std::uint8_t> payload);

}  // namespace brume::network
