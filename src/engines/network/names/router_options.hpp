// Settings of the kernel for a namespace that is a VPC's router.
#pragma once

#include "base/result.hpp"

namespace brume::network {

// In the calling thread's namespace. The taps inherit what "default" says when they are made.
Result<void> set_router_options();

}  // namespace brume::network
