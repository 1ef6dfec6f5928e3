// Settings of the kernel for a namespace that is a VPC's router.
#pragma once

#include "base/result.hpp"

namespace brume::network {

// In the calling thread's namespace. Taps inherit the value of "default" when they are made.
Result<void> set_router_options();

}  // namespace brume::network
