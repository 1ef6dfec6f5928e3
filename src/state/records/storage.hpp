// Volumes and their snapshots.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "state/records/kind.hpp"
#include "state/records/states.hpp"

namespace brume::state {

// A point-in-time copy of a volume. The block engine keeps its bytes under the id.
struct Snapshot {
  static constexpr Kind kind = Kind::snapshot;
  std::string account;
  std::string id;  // "snap-…"
  std::string volume_id;
  std::int64_t size_gib = 0;
  SnapshotState state = SnapshotState::completed;
  std::string state_message;
  std::int64_t progress = 100;  // percent
  std::string description;
  bool encrypted = false;
  std::string wrapped_key;  // the volume key, sealed under the host's key; empty: not encrypted
  Time started{};
  Time completed{};
  bool is_public = false;
  std::vector<std::string> create_volume_accounts;  // accounts that may make volumes of it besides the owner
  std::string set_id;                               // snapshots of one CreateSnapshots (or CreateImage) share it: taken at one instant
  std::string lock_mode;                            // "governance", "compliance"; empty: it was never locked
  Time lock_created{};
  Time lock_expires{};
  Time cool_off_until{};  // of a lock in compliance mode: until then it can be taken off
  std::string copy_of;    // snapshot id of the same installation that control copies from
  // Of one that a client writes itself (StartSnapshot): it has no volume.
  std::int64_t write_minutes = 0;  // so long after the last block it fails if it is not completed; 0: nobody writes it
  std::string parent_id;           // the snapshot that it began as
  std::string host;                // id of the host that has its bytes; empty: every host can read them
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("volumeId", volume_id);
    v("sizeGib", size_gib);
    v("state", state);
    v("stateMessage", state_message);
    v("progress", progress);
    v("description", description);
    v("encrypted", encrypted);
    v("wrappedKey", wrapped_key);
    v("started", started);
    v("completed", completed);
    v("public", is_public);
    v("createVolumeAccounts", create_volume_accounts);
    v("setId", set_id);
    v("lockMode", lock_mode);
    v("lockCreated", lock_created);
    v("lockExpires", lock_expires);
    v("coolOffUntil", cool_off_until);
    v("copyOf", copy_of);
    v("writeMinutes", write_minutes);
    v("parentId", parent_id);
    v("host", host);
  }
};

// A volume at an instance.
struct VolumeAttachment {
  std::string instance_id;
  std::string device;
  AttachmentState attachment_state = AttachmentState::none;
  Time attached{};
  bool delete_on_termination = false;
  bool detach_forced = false;  // of a "detaching": the guest is not asked twice
  bool served = false;         // made while Multi-Attach was enabled: see Volume::is_served
  template <class V>
  void fields(V& v) {
    v("instanceId", instance_id);
    v("device", device);
    v("attachmentState", attachment_state);
    v("attached", attached);
    v("deleteOnTermination", delete_on_termination);
    v("detachForced", detach_forced);
    v("served", served);
  }
};

// The record is its own first attachment, which is the only one unless Multi-Attach is enabled; without an instance id it has none.
struct Volume : VolumeAttachment {
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
  std::string wrapped_key;  // the volume key, sealed under the host's key; empty: not encrypted
  VolumeState state = VolumeState::creating;
  std::string failure;  // why it is in `error`
  bool auto_enable_io = false;
  Time created{};
  bool multi_attach = false;                       // of io1, io2: several instances may have it at once
  std::vector<VolumeAttachment> more_attachments;  // the second and those after it
  std::string host;                                // id of the host that has its file

  // All of them, the oldest first; good until the record changes.
  std::vector<const VolumeAttachment*> attachments() const {
    std::vector<const VolumeAttachment*> all;
    if (!instance_id.empty()) all.push_back(this);
    for (const auto& each : more_attachments) all.push_back(&each);
    return all;
  }
  // To this instance; nullptr: there is none.
  const VolumeAttachment* attachment_to(const std::string& instance) const {
    for (const auto* each : attachments())
      if (each->instance_id == instance) return each;
    return nullptr;
  }
  VolumeAttachment* attachment_to(const std::string& instance) {
    return const_cast<VolumeAttachment*>(std::as_const(*this).attachment_to(instance));
  }
  void attach(VolumeAttachment attachment) {
    if (instance_id.empty())
      static_cast<VolumeAttachment&>(*this) = std::move(attachment);
    else
      more_attachments.push_back(std::move(attachment));
  }
  void detach_from(const std::string& instance) {
    std::erase_if(more_attachments, [&](const auto& each) { return each.instance_id == instance; });
    if (instance_id != instance) return;
    static_cast<VolumeAttachment&>(*this) = more_attachments.empty() ? VolumeAttachment{} : more_attachments.front();
    if (!more_attachments.empty()) more_attachments.erase(more_attachments.begin());
  }
  // A server of its own has its files open while a machine has it, and not the machine itself.
  bool is_served() const {
    const auto all = attachments();
    return std::any_of(all.begin(), all.end(), [](const auto* each) { return each->served; });
  }
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
    v("wrappedKey", wrapped_key);
    v("state", state);
    v("failure", failure);
    v("autoEnableIo", auto_enable_io);
    v("created", created);
    VolumeAttachment::fields(v);
    v("multiAttach", multi_attach);
    v("moreAttachments", more_attachments);
    v("host", host);
  }
};

struct EarlierModification {
  Time started{};
  template <class V>
  void fields(V& v) {
    v("started", started);
  }
};

// The last ModifyVolume of a volume (STO: DescribeVolumesModifications).
struct VolumeModification {
  static constexpr Kind kind = Kind::volume_modification;
  std::string account;
  std::string volume_id;
  ModificationState state = ModificationState::modifying;
  std::string state_message;
  std::int64_t progress = 0;  // percent
  std::int64_t original_size_gib = 0;
  std::string original_type;
  std::int64_t original_iops = 0;
  std::int64_t original_throughput = 0;
  std::int64_t target_size_gib = 0;
  std::string target_type;
  std::int64_t target_iops = 0;
  std::int64_t target_throughput = 0;
  Time started{};
  Time ended{};
  bool original_multi_attach = false;
  bool target_multi_attach = false;
  std::vector<EarlierModification> earlier;  // those of the day before this one: EC2 allows so many a day
  std::string key() const { return owned_key(account, volume_id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("volumeId", volume_id);
    v("state", state);
    v("stateMessage", state_message);
    v("progress", progress);
    v("originalSizeGib", original_size_gib);
    v("originalType", original_type);
    v("originalIops", original_iops);
    v("originalThroughput", original_throughput);
    v("targetSizeGib", target_size_gib);
    v("targetType", target_type);
    v("targetIops", target_iops);
    v("targetThroughput", target_throughput);
    v("started", started);
    v("ended", ended);
    v("originalMultiAttach", original_multi_attach);
    v("targetMultiAttach", target_multi_attach);
    v("earlier", earlier);
  }
};

// CreateReplaceRootVolumeTask: a running instance gets another root volume, with a restart of its guest.
struct RootReplacement {
  static constexpr Kind kind = Kind::root_replacement;
  std::string account;
  std::string id;  // "replacevol-…"
  std::string instance_id;
  RootReplacementState state = RootReplacementState::pending;
  std::string failure;
  std::string image_id;     // as asked
  std::string snapshot_id;  // that the new root is made of
  std::string volume_id;    // the new root
  std::string replaced_volume_id;
  bool delete_replaced = false;
  Time started{};
  Time ended{};
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("instanceId", instance_id);
    v("state", state);
    v("failure", failure);
    v("imageId", image_id);
    v("snapshotId", snapshot_id);
    v("volumeId", volume_id);
    v("replacedVolumeId", replaced_volume_id);
    v("deleteReplaced", delete_replaced);
    v("started", started);
    v("ended", ended);
  }
};

// What an account has chosen for its volumes and snapshots; none: nothing but EC2's defaults.
struct StorageDefaults {
  static constexpr Kind kind = Kind::storage_defaults;
  std::string account;
  bool encrypt_by_default = false;
  std::string snapshot_sharing = "unblocked";  // "unblocked", "block-new-sharing", "block-all-sharing"
  std::string key() const { return owned_key(account, "storage"); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("encryptByDefault", encrypt_by_default);
    v("snapshotSharing", snapshot_sharing);
  }
};

}  // namespace brume::state
