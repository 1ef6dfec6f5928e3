// connections.hpp for IPv6.
#pragma once

#include "base/result.hpp"
#include "engines/network/flows6.hpp"

namespace brume::network {

// In the namespace of the calling thread. Returns how many connections were ended.
Result<size_t> end_forbidden_connections(const FlowRules6& rules);

}  // namespace brume::network
