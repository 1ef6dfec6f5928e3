// Volumes and their snapshots.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.hpp"
#include "state/records/kind.hpp"

namespace brume::state {

// A point-in-time copy of a volume. The block engine keeps its bytes under the id.
struct Snapshot {
  static constexpr Kind kind = Kind::snapshot;
  std::string account;
  std::string id;  // "snap-…"
  std::string volume_id;
  std::int64_t size_gib = 0;
  std::string state = "completed";  // "pending", "completed", "error"
  std::string description;
  bool encrypted = false;
  Time started{};
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("volumeId", volume_id);
    v("sizeGib", size_gib);
    v("state", state);
    v("description", description);
    v("encrypted", encrypted);
    v("started", started);
  }
};

struct Volume {
  static constexpr Kind kind = Kind::volume;
  std::string account;
  std::string id;  // "vol-…"
  std::int64_t size_gib = 0;
  std::string type = "gp2";
  std::int64_t iops = 0;
  std::int64_t throughput = 0;
  std::string zone;
  std::string snapshot_id;
  bool encrypted = false;
  std::string state = "creating";  // "creating", "available", "in-use", "deleting", "error"
  Time created{};
  // At most one attachment.
  std::string instance_id;
  std::string device;
  std::string attachment_state;  // "attaching", "attached", "detaching"
  Time attached{};
  bool delete_on_termination = false;
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("sizeGib", size_gib);
    v("type", type);
    v("iops", iops);
    v("throughput", throughput);
    v("zone", zone);
    v("snapshotId", snapshot_id);
    v("encrypted", encrypted);
    v("state", state);
    v("created", created);
    v("instanceId", instance_id);
    v("device", device);
    v("attachmentState", attachment_state);
    v("attached", attached);
    v("deleteOnTermination", delete_on_termination);
  }
};

}  // namespace brume::state
