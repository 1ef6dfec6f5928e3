// Bytes of snapshots for the ebs service: what it asks of control, each in the other's words.
#pragma once

#include "control/direct_snapshots.hpp"
#include "service/services.hpp"

namespace brume::daemon {

// `direct` outlives it.
service::SnapshotBlocks snapshot_blocks(control::DirectSnapshots& direct);

}  // namespace brume::daemon
