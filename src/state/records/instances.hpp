// Instances, and what belongs to one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "state/records/images.hpp"
#include "state/records/kind.hpp"
#include "state/records/states.hpp"

namespace brume::state {

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
  std::int64_t threads_per_core = 1;  // its cores are processors / threads_per_core
  std::string key_name;
  std::string public_key;  // as it was at launch: the key pair may be deleted or replaced since
  InstanceState state = InstanceState::pending;
  std::string transition_reason;  // "User initiated (2011-12-05 13:00:00 GMT)"
  std::string state_reason_code;  // "Client.UserInitiatedShutdown"
  std::string state_reason_message;
  Time launched{};
  Time state_since{};
  std::string zone;
  std::string tenancy = "default";
  std::string placement_group;        // its name
  std::int64_t partition_number = 0;  // of a partition group, from 1
  std::string vpc_id;
  std::string subnet_id;
  std::vector<std::string> interface_ids;    // by device index
  std::vector<std::string> volume_ids;       // attached, the root first
  std::vector<BlockDevice> instance_stores;  // virtual_name, device and size of each disk of the host that it was given
  std::string root_device_name;
  std::string architecture;
  std::string virtualization_type;
  std::string kernel_id;
  std::string ramdisk_id;
  std::string platform;
  std::vector<std::string> product_codes;  // the image's, as they were at launch (INS-069)
  bool monitoring = false;
  bool ebs_optimized = false;
  bool termination_protected = false;
  bool stop_protected = false;
  bool terminate_on_shutdown = false;  // InstanceInitiatedShutdownBehavior
  bool metadata_enabled = true;
  bool metadata_tokens_required = false;
  bool metadata_tags = false;
  std::int64_t metadata_hop_limit = 1;
  std::string boot_mode;  // the image's, as it was at launch
  bool ena_support = false;
  std::string sriov_net_support;                         // "simple" or empty
  std::string cpu_credits;                               // "standard", "unlimited"; empty: its type has none
  bool credits_were_unlimited = false;                   // DescribeInstanceCreditSpecifications lists it without being asked for it
  std::string auto_recovery = "default";                 // "default", "disabled"
  std::string reboot_migration = "default";              // the same
  std::string capacity_reservation_preference = "open";  // "open", "none"
  Time impaired_since{};                                 // its machine stands still since then, and not by the guest's will
  std::string impairment;                                // why; empty: it does not
  std::string password_data;                             // what its Windows posted on the console: the password, sealed for the key pair
  Time password_posted{};
  std::int64_t reboots_asked = 0;  // RebootInstances adds one; control follows and notes how far it is
  std::int64_t reboots_done = 0;
  std::string host;  // id of the host that runs it, and that a stopped one starts on again: its disks lie there

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
    v("threadsPerCore", threads_per_core);
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
    v("partitionNumber", partition_number);
    v("vpcId", vpc_id);
    v("subnetId", subnet_id);
    v("interfaceIds", interface_ids);
    v("volumeIds", volume_ids);
    v("instanceStores", instance_stores);
    v("rootDeviceName", root_device_name);
    v("architecture", architecture);
    v("virtualizationType", virtualization_type);
    v("kernelId", kernel_id);
    v("ramdiskId", ramdisk_id);
    v("platform", platform);
    v("productCodes", product_codes);
    v("monitoring", monitoring);
    v("ebsOptimized", ebs_optimized);
    v("terminationProtected", termination_protected);
    v("stopProtected", stop_protected);
    v("terminateOnShutdown", terminate_on_shutdown);
    v("metadataEnabled", metadata_enabled);
    v("metadataTokensRequired", metadata_tokens_required);
    v("metadataTags", metadata_tags);
    v("metadataHopLimit", metadata_hop_limit);
    v("bootMode", boot_mode);
    v("enaSupport", ena_support);
    v("sriovNetSupport", sriov_net_support);
    v("cpuCredits", cpu_credits);
    v("creditsWereUnlimited", credits_were_unlimited);
    v("autoRecovery", auto_recovery);
    v("rebootMigration", reboot_migration);
    v("capacityReservationPreference", capacity_reservation_preference);
    v("impairedSince", impaired_since);
    v("impairment", impairment);
    v("passwordData", password_data);
    v("passwordPosted", password_posted);
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

}  // namespace brume::state
