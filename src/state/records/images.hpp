// Images, kernels and ramdisks, and the block devices that they name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "state/records/kind.hpp"
#include "state/records/states.hpp"

namespace brume::state {

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
  static constexpr auto known_after_deregistration = std::chrono::hours(1);
  std::string account;
  std::string id;                // "ami-…", "aki-…", "ari-…"
  std::string type = "machine";  // "machine", "kernel", "ramdisk"
  std::string name;
  std::string description;
  std::string location;  // "account/name"
  std::string architecture = "x86_64";
  ImageState state = ImageState::available;
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
  std::string owner_alias;                 // "amazon": brought in by the operator for everybody; users cannot have one (INS-064)
  std::vector<std::string> product_codes;  // at most one; once set it stays (INS-069)
  std::string imds_support;                // "v2.0": its instances ask for tokens unless the launch says otherwise
  std::string deregistration_protection = "disabled";  // "enabled-with-cooldown", "enabled-without-cooldown"
  Time protected_until{};                              // the cooldown after the protection was switched off
  Time deprecated{};                                   // from then on others do not see it in lists; zero: never
  Time last_launched{};
  std::string source_image_id;  // CopyImage
  std::string source_region;
  std::string source_instance_id;  // CreateImage
  std::string reboot_instance;     // CreateImage: the instance that control shuts down for the snapshots and starts again; empty: none
  Time deregistered{};             // until its id is forgotten, it is answered otherwise than an id that never was
  std::string import_source;       // path of the file that an import still has to read; empty when done
  std::string host;                // id of the host that makes it, and has its boot file; bytes of machine images are their snapshots'
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
    v("ownerAlias", owner_alias);
    v("productCodes", product_codes);
    v("imdsSupport", imds_support);
    v("deregistrationProtection", deregistration_protection);
    v("protectedUntil", protected_until);
    v("deprecated", deprecated);
    v("lastLaunched", last_launched);
    v("sourceImageId", source_image_id);
    v("sourceRegion", source_region);
    v("sourceInstanceId", source_instance_id);
    v("rebootInstance", reboot_instance);
    v("deregistered", deregistered);
    v("importSource", import_source);
    v("host", host);
  }
};

// What an account has chosen for its images; none: EC2's defaults.
struct ImageDefaults {
  static constexpr Kind kind = Kind::image_defaults;
  std::string account;
  bool blocks_public_sharing = false;
  std::string key() const { return owned_key(account, "images"); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("blocksPublicSharing", blocks_public_sharing);
  }
};

}  // namespace brume::state
