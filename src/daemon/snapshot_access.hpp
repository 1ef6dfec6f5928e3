// Bytes of snapshots for the ebs service: what it asks of control, each in the other's words.
#pragma once

#include "control/host_services.hpp"
#include "service/services.hpp"

namespace brume::daemon {

// `hosts` outlives it.
service::SnapshotBlocks snapshot_blocks(control::HostServices& hosts);

}  // namespace brume::daemon
