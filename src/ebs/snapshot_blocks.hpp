// The EBS direct API: clients read a snapshot's blocks, list what changed between two, and write snapshots themselves.
#pragma once

#include "service/action.hpp"

namespace brume::ebs {

service::ServiceTable make_service();

}  // namespace brume::ebs
