// Every kind of thing that Brume remembers, as plain structs. A record is never changed once published: a transaction puts a new one.
//
// Each record names its kind (the first part of its key in the log), its key within the kind, and its fields once, in fields():
// the codec, the log and the tools all go by that. A field that is not in a stored record keeps its default, an unknown stored
// field is ignored, so that a newer daemon reads an older one's state and the reverse.
//
// Keys of what an account owns are "account/id": all of an account's things of a kind stand beside each other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace brume::state {

// The place of each kind in a World. New kinds go at the end; the number is never stored.
enum class Kind : std::uint8_t {
  account,
  access_key,
  key_pair,
  security_group,
  vpc,
  subnet,
  network_interface,
  image,
  snapshot,
  volume,
  instance,
  user_data,
  tag_set,
  client_token,
  dependents,
  setting,
  count
};

inline std::string owned_key(std::string_view account, std::string_view id) {
  std::string key;
  key.reserve(account.size() + 1 + id.size());
  return key.append(account).append(1, '/').append(id);
}

struct Account {
  static constexpr Kind kind = Kind::account;
  std::string id;  // 12 digits
  std::string name;
  Time created{};
  bool enabled = true;
  std::string key() const { return id; }
  template <class V>
  void fields(V& v) {
    v("id", id);
    v("name", name);
    v("created", created);
    v("enabled", enabled);
  }
};

struct AccessKey {
  static constexpr Kind kind = Kind::access_key;
  std::string id;  // "AKIA…", 20 characters
  std::string account;
  std::string secret;  // recoverable: a signature is an HMAC over it (NET-005)
  Time created{};
  bool active = true;
  std::string key() const { return id; }
  template <class V>
  void fields(V& v) {
    v("id", id);
    v("account", account);
    v("secret", secret);
    v("created", created);
    v("active", active);
  }
};

struct KeyPair {
  static constexpr Kind kind = Kind::key_pair;
  std::string account;
  std::string id;  // "key-…"
  std::string name;
  std::string type;         // "rsa", "ed25519"
  std::string fingerprint;  // as EC2 forms it for this kind and origin
  std::string public_key;   // OpenSSH line without comment
  Time created{};
  std::string key() const { return owned_key(account, name); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("name", name);
    v("type", type);
    v("fingerprint", fingerprint);
    v("publicKey", public_key);
    v("created", created);
  }
};

// One permission: one protocol and port range for one peer.
struct SecurityRule {
  std::string id;               // "sgr-…"
  std::string protocol;         // "tcp", "udp", "icmp", "icmpv6", "-1" (all), or a number
  std::int64_t from_port = -1;  // ICMP: type; -1: all
  std::int64_t to_port = -1;    // ICMP: code; -1: all
  std::string cidr;             // IPv4 peer; one of cidr, cidr6, group_id is set
  std::string cidr6;
  std::string group_account;  // peer group
  std::string group_id;
  std::string description;
  template <class V>
  void fields(V& v) {
    v("id", id);
    v("protocol", protocol);
    v("from", from_port);
    v("to", to_port);
    v("cidr", cidr);
    v("cidr6", cidr6);
    v("groupAccount", group_account);
    v("groupId", group_id);
    v("description", description);
  }
  // The same permission, whatever its id and description.
  bool same_permission(const SecurityRule& other) const {
    return protocol == other.protocol && from_port == other.from_port && to_port == other.to_port && cidr == other.cidr &&
           cidr6 == other.cidr6 && group_account == other.group_account && group_id == other.group_id;
  }
};

struct SecurityGroup {
  static constexpr Kind kind = Kind::security_group;
  std::string account;
  std::string id;  // "sg-…"
  std::string name;
  std::string description;
  std::string vpc_id;
  std::vector<SecurityRule> ingress;
  std::vector<SecurityRule> egress;
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("name", name);
    v("description", description);
    v("vpcId", vpc_id);
    v("ingress", ingress);
    v("egress", egress);
  }
};

struct Vpc {
  static constexpr Kind kind = Kind::vpc;
  std::string account;
  std::string id;
  std::string cidr;  // "172.31.0.0/16"
  bool is_default = false;
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("cidr", cidr);
    v("default", is_default);
  }
};

struct Subnet {
  static constexpr Kind kind = Kind::subnet;
  std::string account;
  std::string id;
  std::string vpc_id;
  std::string cidr;
  std::string zone;  // "us-east-1a"
  bool is_default = false;
  bool gives_public_address = false;
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("vpcId", vpc_id);
    v("cidr", cidr);
    v("zone", zone);
    v("default", is_default);
    v("public", gives_public_address);
  }
};

struct NetworkInterface {
  static constexpr Kind kind = Kind::network_interface;
  std::string account;
  std::string id;  // "eni-…"
  std::string vpc_id;
  std::string subnet_id;
  std::string zone;
  std::string description;
  std::string mac;  // "02:…", unique within the VPC
  std::string private_ip;
  std::string public_ip;  // empty: none now
  std::vector<std::string> group_ids;
  bool source_dest_check = true;
  std::string instance_id;    // empty: attached to nothing
  std::string attachment_id;  // "eni-attach-…"
  std::int64_t device_index = 0;
  bool delete_on_termination = true;
  Time attached{};
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("vpcId", vpc_id);
    v("subnetId", subnet_id);
    v("zone", zone);
    v("description", description);
    v("mac", mac);
    v("privateIp", private_ip);
    v("publicIp", public_ip);
    v("groupIds", group_ids);
    v("sourceDestCheck", source_dest_check);
    v("instanceId", instance_id);
    v("attachmentId", attachment_id);
    v("deviceIndex", device_index);
    v("deleteOnTermination", delete_on_termination);
    v("attached", attached);
  }
};

// What stands behind a device name in an image or a launch request.
struct BlockDevice {
  std::string device;        // "/dev/sda1"
  std::string virtual_name;  // "ephemeral0"
  std::string snapshot_id;
  std::int64_t size_gib = 0;
  std::string volume_type;
  std::int64_t iops = 0;
  std::int64_t throughput = 0;
  bool delete_on_termination = true;
  bool encrypted = false;
  bool suppressed = false;  // NoDevice
  template <class V>
  void fields(V& v) {
    v("device", device);
    v("virtualName", virtual_name);
    v("snapshotId", snapshot_id);
    v("sizeGib", size_gib);
    v("volumeType", volume_type);
    v("iops", iops);
    v("throughput", throughput);
    v("deleteOnTermination", delete_on_termination);
    v("encrypted", encrypted);
    v("suppressed", suppressed);
  }
};

struct Image {
  static constexpr Kind kind = Kind::image;
  std::string account;
  std::string id;                // "ami-…", "aki-…", "ari-…"
  std::string type = "machine";  // "machine", "kernel", "ramdisk"
  std::string name;
  std::string description;
  std::string location;  // "account/name"
  std::string architecture = "x86_64";
  std::string state = "available";  // "pending", "available", "failed", "deregistered"
  std::string state_reason;
  bool is_public = false;
  std::vector<std::string> launch_accounts;  // accounts that may launch it besides the owner
  std::string root_device_name;
  std::string virtualization_type = "hvm";
  std::string boot_mode;
  std::string platform;  // "windows" or empty
  std::string kernel_id;
  std::string ramdisk_id;
  std::string kernel_arguments;  // of an aki: the command line it boots with
  std::vector<BlockDevice> block_devices;
  bool ena_support = false;
  std::string sriov_net_support;
  Time created{};
  std::string import_source;  // path of the file that an import still has to read; empty when done
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("type", type);
    v("name", name);
    v("description", description);
    v("location", location);
    v("architecture", architecture);
    v("state", state);
    v("stateReason", state_reason);
    v("public", is_public);
    v("launchAccounts", launch_accounts);
    v("rootDeviceName", root_device_name);
    v("virtualizationType", virtualization_type);
    v("bootMode", boot_mode);
    v("platform", platform);
    v("kernelId", kernel_id);
    v("ramdiskId", ramdisk_id);
    v("kernelArguments", kernel_arguments);
    v("blockDevices", block_devices);
    v("enaSupport", ena_support);
    v("sriovNetSupport", sriov_net_support);
    v("created", created);
    v("importSource", import_source);
  }
};

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

// The values are EC2's state codes (INS, DescribeInstances).
enum class InstanceState : std::int64_t { pending = 0, running = 16, shutting_down = 32, terminated = 48, stopping = 64, stopped = 80 };
std::string_view name_of(InstanceState state);  // "shutting-down"
// The one transition table: may an instance go from `from` to `to`?
bool may_become(InstanceState from, InstanceState to);

struct Instance {
  static constexpr Kind kind = Kind::instance;
  std::string account;
  std::string id;  // "i-…"
  std::string reservation_id;
  std::string client_token;
  std::int64_t launch_index = 0;
  std::string image_id;
  std::string image_account;
  std::string type;
  std::int64_t memory_mib = 0;  // of the type as it was at launch
  std::int64_t processors = 1;
  std::string key_name;
  std::string public_key;         // as it was at launch: the key pair may be deleted or replaced since
  std::int64_t state = 0;         // InstanceState
  std::string transition_reason;  // "User initiated (2011-12-05 13:00:00 GMT)"
  std::string state_reason_code;  // "Client.UserInitiatedShutdown"
  std::string state_reason_message;
  Time launched{};
  Time state_since{};
  std::string zone;
  std::string tenancy = "default";
  std::string placement_group;
  std::string vpc_id;
  std::string subnet_id;
  std::vector<std::string> interface_ids;  // by device index
  std::vector<std::string> volume_ids;     // attached, the root first
  std::string root_device_name;
  std::string architecture;
  std::string virtualization_type;
  std::string kernel_id;
  std::string ramdisk_id;
  std::string platform;
  bool monitoring = false;
  bool ebs_optimized = false;
  bool termination_protected = false;
  bool stop_protected = false;
  bool terminate_on_shutdown = false;  // InstanceInitiatedShutdownBehavior
  bool metadata_enabled = true;
  bool metadata_tokens_required = false;
  bool metadata_tags = false;
  std::int64_t metadata_hop_limit = 1;
  std::int64_t reboots_asked = 0;  // RebootInstances adds one; control follows and notes how far it is
  std::int64_t reboots_done = 0;
  std::string host;  // name of the machine that runs it

  InstanceState current_state() const { return static_cast<InstanceState>(state); }
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("reservationId", reservation_id);
    v("clientToken", client_token);
    v("launchIndex", launch_index);
    v("imageId", image_id);
    v("imageAccount", image_account);
    v("type", type);
    v("memoryMib", memory_mib);
    v("processors", processors);
    v("keyName", key_name);
    v("publicKey", public_key);
    v("state", state);
    v("transitionReason", transition_reason);
    v("stateReasonCode", state_reason_code);
    v("stateReasonMessage", state_reason_message);
    v("launched", launched);
    v("stateSince", state_since);
    v("zone", zone);
    v("tenancy", tenancy);
    v("placementGroup", placement_group);
    v("vpcId", vpc_id);
    v("subnetId", subnet_id);
    v("interfaceIds", interface_ids);
    v("volumeIds", volume_ids);
    v("rootDeviceName", root_device_name);
    v("architecture", architecture);
    v("virtualizationType", virtualization_type);
    v("kernelId", kernel_id);
    v("ramdiskId", ramdisk_id);
    v("platform", platform);
    v("monitoring", monitoring);
    v("ebsOptimized", ebs_optimized);
    v("terminationProtected", termination_protected);
    v("stopProtected", stop_protected);
    v("terminateOnShutdown", terminate_on_shutdown);
    v("metadataEnabled", metadata_enabled);
    v("metadataTokensRequired", metadata_tokens_required);
    v("metadataTags", metadata_tags);
    v("metadataHopLimit", metadata_hop_limit);
    v("rebootsAsked", reboots_asked);
    v("rebootsDone", reboots_done);
    v("host", host);
  }
};

// Apart from the instance, which is read a thousand times for each time that its user data is.
struct UserData {
  static constexpr Kind kind = Kind::user_data;
  std::string account;
  std::string instance_id;
  std::string data;  // raw bytes, at most 16 KiB; stored as base64
  std::string key() const { return owned_key(account, instance_id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("instanceId", instance_id);
    v.bytes("data", data);
  }
};

struct Tag {
  std::string name;
  std::string value;
  template <class V>
  void fields(V& v) {
    v("k", name);
    v("v", value);
  }
};

struct TagSet {
  static constexpr Kind kind = Kind::tag_set;
  std::string account;
  std::string resource_id;
  std::string resource_type;  // "instance", "security-group" …
  std::vector<Tag> tags;      // by name
  std::string key() const { return owned_key(account, resource_id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("resourceId", resource_id);
    v("resourceType", resource_type);
    v("tags", tags);
  }
};

// A request that was already carried out (24 hours): the same token with the same parameters gets the same resources.
struct ClientToken {
  static constexpr Kind kind = Kind::client_token;
  std::string account;
  std::string token;       // "RunInstances:token"
  std::string parameters;  // digest of what was asked
  std::string resource_id;
  Time created{};
  std::string key() const { return owned_key(account, token); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("token", token);
    v("parameters", parameters);
    v("resourceId", resource_id);
    v("created", created);
  }
};

// What an instance holds in the world outside, written before it is made and struck off after it is gone. An instance's record is
// removed only when nothing is left here.
struct Dependents {
  static constexpr Kind kind = Kind::dependents;
  std::string account;
  std::string instance_id;
  bool machine = false;              // a QEMU process and its folder
  std::vector<std::string> taps;     // interface ids with a tap in the VPC's namespace
  std::vector<std::string> volumes;  // volume ids with a file to be deleted with the instance
  std::string key() const { return owned_key(account, instance_id); }
  bool empty() const { return !machine && taps.empty() && volumes.empty(); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("instanceId", instance_id);
    v("machine", machine);
    v("taps", taps);
    v("volumes", volumes);
  }
};

// A value of the installation itself: "public-pool", "first-account", "schema".
struct Setting {
  static constexpr Kind kind = Kind::setting;
  std::string name;
  std::string value;
  std::string key() const { return name; }
  template <class V>
  void fields(V& v) {
    v("name", name);
    v("value", value);
  }
};

}  // namespace brume::state
