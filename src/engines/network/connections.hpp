// Conntrack of one network namespace: ends the connections that are no longer allowed.
#pragma once

#include "base/result.hpp"
#include "engines/network/flows.hpp"

namespace brume::network {

// In the namespace of the calling thread. Returns how many connections were ended. The next packet of an ended one is judged as a new
// one, and a TCP packet in the middle of nothing is dropped (nf_conntrack_tcp_loose=0).
Result<size_t> end_forbidden_connections(const FlowRules& rules);

}  // namespace brume::network
