#include <fmt/format.h>

#include "ec2/storage/volume_rules.hpp"
#include "ec2_actions.hpp"

namespace brume::ec2 {
namespace {

using state::InstanceState;

class Volumes : public ActionsTest {
 protected:
  Volumes() { add(volume_actions()); }
  static constexpr const char* volume = "vol-00000001";
  static constexpr const char* root = "vol-00000002";
  static constexpr const char* instance = "i-00000001";

  std::string create(const std::string& rest) { return code("CreateVolume", "AvailabilityZone=us-east-1a&" + rest); }
  const state::Volume& stored(const std::string& id) {
    kept_ = world();
    return *kept_->find<state::Volume>(account, id);
  }
  void put_volume(const std::string& id, state::VolumeState state, std::int64_t gib = 8) {
    put<state::Volume>(id, [&](state::Volume& record) {
      record.size_gib = gib;
      record.zone = "us-east-1a";
      record.state = state;
    });
  }
  // An instance with a root volume, and a volume that is attached to nothing.
  void put_instance(InstanceState current = InstanceState::running, const std::string& platform = {}) {
    put_volume(volume, state::VolumeState::available);
    put<state::Volume>(root, [&](state::Volume& record) {
      record.zone = "us-east-1a";
      record.size_gib = 8;
      record.state = state::VolumeState::in_use;
      record.instance_id = instance;
      record.device = "/dev/sda1";
      record.attachment_state = state::AttachmentState::attached;
      record.delete_on_termination = true;
    });
    put<state::Instance>(instance, [&](state::Instance& record) {
      record.state = current;
      record.zone = "us-east-1a";
      record.platform = platform;
      record.root_device_name = "/dev/sda1";
      record.volume_ids = {root};
    });
    transact([&](state::Transaction& transaction) { transaction.put(state::Dependents{account, instance, true, {}, {root}}); });
  }
  std::string attach(const std::string& device = "/dev/sdf") {
    return code("AttachVolume", fmt::format("VolumeId={}&InstanceId={}&Device={}", volume, instance, device));
  }
  std::string detach(const std::string& id, const std::string& rest = {}) {
    return code("DetachVolume", fmt::format("VolumeId={}{}", id, rest));
  }
  state::WorldPointer kept_;
};

TEST_F(Volumes, SizesOfEachType) {
  struct Row {
    const char* type;
    int least, most;
  };
  for (const auto& [type, least, most] : {Row{"standard", 1, 1024}, {"gp2", 1, 16384}, {"st1", 125, 16384}, {"sc1", 125, 16384}}) {
    EXPECT_EQ(create(fmt::format("VolumeType={}&Size={}", type, least - 1)), "InvalidParameterValue") << type;
    EXPECT_EQ(create(fmt::format("VolumeType={}&Size={}", type, most + 1)), "InvalidParameterValue") << type;
    EXPECT_EQ(create(fmt::format("VolumeType={}&Size={}", type, least)), "") << type;
  }
  EXPECT_NO_THROW(check_volume_shape({"gp3", 65536}));
  EXPECT_NO_THROW(check_volume_shape({"io2", 65536, 100}));
  EXPECT_EQ(create("VolumeType=io1&Size=3&Iops=100"), "InvalidParameterValue");
  EXPECT_EQ(create("VolumeType=gp9&Size=8"), "UnknownVolumeType");
  EXPECT_EQ(create("Size=-8"), "InvalidParameterValue");
}

TEST_F(Volumes, IopsAndThroughput) {
  EXPECT_EQ(create("Size=8&Iops=100"), "InvalidParameterCombination");  // gp2
  EXPECT_EQ(create("Size=8&Throughput=125"), "InvalidParameterCombination");
  EXPECT_EQ(create("Size=8&VolumeType=io1"), "MissingParameter");
  EXPECT_EQ(create("Size=8&VolumeType=io1&Iops=99"), "InvalidParameterValue");
  EXPECT_EQ(create("Size=8&VolumeType=io1&Iops=401"), "InvalidParameterValue");  // 50 a GiB
  EXPECT_EQ(create("Size=8&VolumeType=io1&Iops=400"), "");
  EXPECT_EQ(create("Size=8&VolumeType=io1&Iops=400&Throughput=125"), "InvalidParameterCombination");
  EXPECT_EQ(create("Size=2000&VolumeType=io1&Iops=64001"), "InvalidParameterValue");
  EXPECT_EQ(create("Size=8&VolumeType=gp3&Iops=2999"), "InvalidParameterValue");
  EXPECT_EQ(create("Size=1&VolumeType=gp3&Iops=3000"), "");  // what each has
  EXPECT_EQ(create("Size=8&VolumeType=gp3&Iops=4001"), "InvalidParameterValue");
  EXPECT_EQ(create("Size=8&VolumeType=gp3&Throughput=124"), "InvalidParameterValue");
  EXPECT_EQ(create("Size=8&VolumeType=gp3&Throughput=751"), "InvalidParameterValue");  // a quarter of the IOPS
  EXPECT_EQ(create("Size=8&VolumeType=gp3&Throughput=2001"), "InvalidParameterValue");
  EXPECT_EQ(create("Size=8&VolumeType=gp3&Throughput=750"), "");
}

TEST_F(Volumes, WhatIsNotNamedIsShownAsTheTypeHasIt) {
  auto answer = call("CreateVolume", "AvailabilityZone=us-east-1a&Size=100");
  EXPECT_EQ(first(answer, "iops"), "300");
  EXPECT_EQ(count(answer, "throughput"), 0U);
  answer = call("CreateVolume", "AvailabilityZone=us-east-1a&Size=1");
  EXPECT_EQ(first(answer, "iops"), "100");
  answer = call("CreateVolume", "AvailabilityZone=us-east-1a&Size=1&VolumeType=gp3");
  EXPECT_EQ(first(answer, "iops"), "3000");
  EXPECT_EQ(first(answer, "throughput"), "125");
  answer = call("CreateVolume", "AvailabilityZone=us-east-1a&Size=1&VolumeType=standard");
  EXPECT_EQ(count(answer, "iops"), 0U);
}

TEST_F(Volumes, ZonesByNameAndById) {
  EXPECT_EQ(code("CreateVolume", "Size=1"), "MissingParameter");
  EXPECT_EQ(code("CreateVolume", "Size=1&AvailabilityZone=us-east-1z"), "InvalidZone.NotFound");
  EXPECT_EQ(code("CreateVolume", "Size=1&AvailabilityZoneId=use1-az9"), "InvalidZone.NotFound");
  EXPECT_EQ(code("CreateVolume", "Size=1&AvailabilityZone=us-east-1a&AvailabilityZoneId=use1-az1"), "InvalidParameterCombination");
  const auto answer = call("CreateVolume", "Size=1&AvailabilityZoneId=use1-az2");
  EXPECT_EQ(first(answer, "availabilityZone"), "us-east-1b");
  EXPECT_EQ(first(answer, "availabilityZoneId"), "use1-az2");
  EXPECT_EQ(count(call("DescribeVolumes", "Filter.1.Name=availability-zone-id&Filter.1.Value.1=use1-az2"), "volumeId"), 1U);
  EXPECT_EQ(count(call("DescribeVolumes", "Filter.1.Name=availability-zone-id&Filter.1.Value.1=use1-az1"), "volumeId"), 0U);
}

TEST_F(Volumes, WhatIsNotBuiltIsRefused) {
  for (const auto* rest : {"OutpostArn=arn:aws:outposts:x", "VolumeInitializationRate=100"})
    EXPECT_EQ(create(fmt::format("Size=8&{}", rest)), "UnsupportedOperation") << rest;
  EXPECT_EQ(create("Size=8&MultiAttachEnabled=true"), "InvalidParameterCombination");
  EXPECT_EQ(create("Size=8&MultiAttachEnabled=false"), "");
  EXPECT_EQ(create("Size=8&VolumeType=io2&Iops=100&MultiAttachEnabled=true"), "");
  EXPECT_EQ(create("Size=8&KmsKeyId=alias/mine"), "InvalidParameterDependency");
}

TEST_F(Volumes, OfASnapshot) {
  const auto put_snapshot = [&](const std::string& owner, const std::string& id, auto&& fill) {
    state::Snapshot record;
    record.account = owner;
    record.id = id;
    record.size_gib = 10;
    fill(record);
    transact([&](state::Transaction& transaction) { transaction.put(std::move(record)); });
  };
  put_snapshot(account, "snap-00000001", [](auto&) {});
  put_snapshot(account, "snap-00000002", [](auto& snapshot) { snapshot.state = state::SnapshotState::pending; });
  put_snapshot(stranger, "snap-00000003", [](auto&) {});
  put_snapshot(stranger, "snap-00000004", [](auto& snapshot) { snapshot.create_volume_accounts = {account}; });
  put_snapshot(stranger, "snap-00000005", [](auto& snapshot) { snapshot.is_public = true; });
  EXPECT_EQ(create("VolumeType=gp2"), "MissingParameter");
  EXPECT_EQ(create("SnapshotId=snap-1"), "InvalidSnapshotID.Malformed");
  EXPECT_EQ(create("SnapshotId=snap-0000000f"), "InvalidSnapshot.NotFound");
  EXPECT_EQ(create("SnapshotId=snap-00000003"), "InvalidSnapshot.NotFound");
  EXPECT_EQ(create("SnapshotId=snap-00000002"), "IncorrectState");
  EXPECT_EQ(create("SnapshotId=snap-00000001&Size=9"), "InvalidParameterValue");
  EXPECT_EQ(first(call("CreateVolume", "AvailabilityZone=us-east-1a&SnapshotId=snap-00000001"), "size"), "10");
  EXPECT_EQ(first(call("CreateVolume", "AvailabilityZone=us-east-1a&SnapshotId=snap-00000004&Size=11"), "size"), "11");
  EXPECT_EQ(create("SnapshotId=snap-00000005"), "");
  // A public one of an account that shares nothing publicly.
  transact([&](state::Transaction& transaction) { transaction.put(state::StorageDefaults{stranger, false, "block-all-sharing"}); });
  EXPECT_EQ(create("SnapshotId=snap-00000005"), "InvalidSnapshot.NotFound");
  EXPECT_EQ(create("SnapshotId=snap-00000004"), "");
  transact([&](state::Transaction& transaction) { transaction.put(state::StorageDefaults{stranger, false, "block-new-sharing"}); });
  EXPECT_EQ(create("SnapshotId=snap-00000005"), "");
}

TEST_F(Volumes, Encrypted) {
  add(ebs_encryption_actions());
  const auto encrypted = [&](const std::string& rest) {
    const auto answer = call("CreateVolume", "AvailabilityZone=us-east-1a&" + rest);
    return stored(first(answer, "volumeId")).encrypted && first(answer, "encrypted") == "true";
  };
  EXPECT_FALSE(encrypted("Size=1"));
  EXPECT_TRUE(encrypted("Size=1&Encrypted=true"));
  EXPECT_TRUE(encrypted("Size=1&Encrypted=true&KmsKeyId=alias/aws/ebs"));
  EXPECT_EQ(create("Size=1&Encrypted=true&KmsKeyId=alias/mine"), "InvalidParameterValue");
  put<state::Snapshot>("snap-00000001", [](state::Snapshot& record) {
    record.size_gib = 1;
    record.encrypted = true;
  });
  EXPECT_TRUE(encrypted("SnapshotId=snap-00000001"));
  const auto by_default = [&] { return first(call("GetEbsEncryptionByDefault"), "ebsEncryptionByDefault"); };
  EXPECT_EQ(by_default(), "false");
  EXPECT_EQ(first(call("EnableEbsEncryptionByDefault"), "ebsEncryptionByDefault"), "true");
  EXPECT_EQ(by_default(), "true");
  EXPECT_TRUE(encrypted("Size=1"));
  EXPECT_TRUE(encrypted("Size=1&Encrypted=false"));
  EXPECT_EQ(first(call("DisableEbsEncryptionByDefault"), "ebsEncryptionByDefault"), "false");
  EXPECT_FALSE(encrypted("Size=1"));
}

TEST_F(Volumes, OneKeyOfEachAccount) {
  add(ebs_encryption_actions());
  EXPECT_EQ(first(call("GetEbsDefaultKmsKeyId"), "kmsKeyId"), "alias/aws/ebs");
  EXPECT_EQ(first(call("ResetEbsDefaultKmsKeyId"), "kmsKeyId"), "alias/aws/ebs");
  const auto key = first(call("ModifyEbsDefaultKmsKeyId", "KmsKeyId=alias/aws/ebs"), "kmsKeyId");
  EXPECT_TRUE(key.starts_with(fmt::format("arn:aws:kms:us-east-1:{}:key/", account))) << key;
  EXPECT_EQ(key.size(), fmt::format("arn:aws:kms:us-east-1:{}:key/", account).size() + 36) << key;
  for (const auto& name : {key, key.substr(key.rfind('/') + 1), fmt::format("arn:aws:kms:us-east-1:{}:alias/aws/ebs", account)}) {
    const auto answer = call("CreateVolume", "AvailabilityZone=us-east-1a&Size=1&Encrypted=true&KmsKeyId=" + name);
    EXPECT_EQ(first(answer, "kmsKeyId"), key) << name;
  }
  EXPECT_EQ(first(call("CreateVolume", "AvailabilityZone=us-east-1a&Size=1"), "kmsKeyId"), "");
  for (const auto* other :
       {"alias/mine", "arn:aws:kms:us-east-1:999988887777:alias/aws/ebs", "arn:aws:kms:eu-west-1:111122223333:alias/aws/ebs"})
    EXPECT_EQ(code("ModifyEbsDefaultKmsKeyId", fmt::format("KmsKeyId={}", other)), "InvalidParameterValue") << other;
}

TEST_F(Volumes, QuotaOfSize) {
  EXPECT_EQ(create("Size=16384"), "");
  EXPECT_EQ(create("Size=4097"), "VolumeLimitExceeded");
  EXPECT_EQ(create("Size=4095"), "");
  put_volume(volume, state::VolumeState::available, 1);
  EXPECT_EQ(code("ModifyVolume", fmt::format("VolumeId={}&Size=2", volume)), "VolumeLimitExceeded");
}

TEST_F(Volumes, QuotaOfNumber) {
  transact([&](state::Transaction& transaction) {
    for (int i = 0; i < service::StorageQuotas{}.volumes - 1; ++i) {
      state::Volume record;
      record.account = account;
      record.id = fmt::format("vol-{:08x}", i);
      transaction.put(std::move(record));
    }
  });
  EXPECT_EQ(create("Size=1"), "");
  EXPECT_EQ(create("Size=1"), "VolumeLimitExceeded");
}

TEST_F(Volumes, ModifiedFourTimesInTheDayBefore) {
  using std::chrono::hours;
  put_volume(volume, state::VolumeState::available);
  const auto modified = [&](hours last, const std::vector<hours>& before) {
    state::VolumeModification modification;
    modification.account = account;
    modification.volume_id = volume;
    modification.state = state::ModificationState::completed;
    modification.started = clock_.now() - last;
    for (const auto each : before) modification.earlier.push_back({clock_.now() - each});
    transact([&](state::Transaction& transaction) { transaction.put(std::move(modification)); });
    return code("ModifyVolume", "VolumeId=" + std::string(volume) + "&Size=9");
  };
  EXPECT_EQ(modified(hours(1), {hours(4), hours(3), hours(2)}), "VolumeModificationRateExceeded");
  EXPECT_EQ(modified(hours(23), {}), "");
  EXPECT_EQ(modified(hours(1), {hours(25), hours(3), hours(2)}), "");
  // Of those that are noted for the next time, the ones of more than a day ago are not.
  const auto kept = world();
  const auto* now = kept->find<state::VolumeModification>(state::owned_key(account, volume));
  ASSERT_NE(now, nullptr);
  EXPECT_EQ(now->state, state::ModificationState::modifying);
  EXPECT_EQ(now->earlier.size(), 3U);
  EXPECT_EQ(modified(hours(25), {hours(28), hours(27), hours(26)}), "");
}

TEST_F(Volumes, TheTypeOf2011) {
  version_ = 20111201;
  const auto answer = call("CreateVolume", "AvailabilityZone=us-east-1a&Size=80");
  EXPECT_EQ(stored(first(answer, "volumeId")).type, "standard");
  EXPECT_EQ(count(answer, "volumeType"), 0U);
  EXPECT_EQ(create("Size=1025"), "InvalidParameterValue");
}

TEST_F(Volumes, DeletedOnlyWhenNothingHasThem) {
  put_instance();
  EXPECT_EQ(code("DeleteVolume", fmt::format("VolumeId={}", root)), "VolumeInUse");
  EXPECT_EQ(code("DeleteVolume", "VolumeId=vol-0000000f"), "InvalidVolume.NotFound");
  EXPECT_EQ(code("DeleteVolume", "VolumeId=vol-x"), "InvalidVolumeID.Malformed");
  put_volume("vol-00000003", state::VolumeState::creating);
  EXPECT_EQ(code("DeleteVolume", "VolumeId=vol-00000003"), "IncorrectState");
  put_volume("vol-00000004", state::VolumeState::error);
  EXPECT_EQ(code("DeleteVolume", "VolumeId=vol-00000004"), "");
  EXPECT_EQ(code("DeleteVolume", fmt::format("VolumeId={}", volume)), "");
  EXPECT_EQ(stored(volume).state, state::VolumeState::deleting);
  EXPECT_EQ(code("DeleteVolume", fmt::format("VolumeId={}", volume)), "");
  as_ = stranger;
  EXPECT_EQ(code("DeleteVolume", fmt::format("VolumeId={}", root)), "InvalidVolume.NotFound");
}

TEST_F(Volumes, DeviceNames) {
  for (const auto* good :
       {"/dev/sdf", "/dev/sdz", "/dev/sdf1", "/dev/sdf15", "/dev/hda", "/dev/hdz15", "xvdf", "xvda", "sdf", "/dev/xvdba", "/dev/sda1"})
    EXPECT_TRUE(is_device_name(good)) << good;
  for (const auto* bad : {"", "/dev/", "/dev/sd", "/dev/sdf0", "/dev/sdf16", "/dev/sdf01", "/dev/sdf123", "/dev/sdfa", "/dev/nvme1n1",
                          "/dev/SDF", "foo", "/dev/sdf/", "/dev/sd1", "../sdf", "/dev/xvdbaa"})
    EXPECT_FALSE(is_device_name(bad)) << bad;
  for (const auto* same : {"/dev/sdf", "sdf", "xvdf", "/dev/xvdf"}) EXPECT_TRUE(is_same_device("/dev/sdf", same)) << same;
  for (const auto* other : {"/dev/sdg", "/dev/hdf", "/dev/sdf1"}) EXPECT_FALSE(is_same_device("/dev/sdf", other)) << other;
}

TEST_F(Volumes, Attached) {
  put_instance();
  const auto answer = call("AttachVolume", fmt::format("VolumeId={}&InstanceId={}&Device=xvdf", volume, instance));
  EXPECT_EQ(first(answer, "status"), "attaching");
  EXPECT_EQ(first(answer, "device"), "xvdf");
  EXPECT_EQ(stored(volume).state, state::VolumeState::in_use);
  EXPECT_FALSE(stored(volume).delete_on_termination);
  EXPECT_EQ(world()->find<state::Instance>(account, instance)->volume_ids, (std::vector<std::string>{root, volume}));
  EXPECT_EQ(attach(), "VolumeInUse");
}

TEST_F(Volumes, WhereTheyCannotBeAttached) {
  put_instance();
  EXPECT_EQ(attach("/dev/nvme1n1"), "InvalidParameterValue");
  EXPECT_EQ(attach("/dev/sda1"), "InvalidParameterValue");
  EXPECT_EQ(attach("xvda1"), "InvalidParameterValue");
  EXPECT_EQ(message_, "Invalid value 'xvda1' for unixDevice. Attachment point xvda1 is already in use");
  EXPECT_EQ(code("AttachVolume", fmt::format("VolumeId={}&InstanceId=i-0000000f&Device=/dev/sdf", volume)), "InvalidInstanceID.NotFound");
  put_volume(volume, state::VolumeState::creating);
  EXPECT_EQ(attach(), "IncorrectState");
  put<state::Volume>(volume, [](state::Volume& record) {
    record.state = state::VolumeState::available;
    record.zone = "us-east-1b";
  });
  EXPECT_EQ(attach(), "InvalidVolume.ZoneMismatch");
}

TEST_F(Volumes, StatesOfTheInstance) {
  for (const auto current : {InstanceState::pending, InstanceState::stopping, InstanceState::shutting_down, InstanceState::terminated}) {
    put_instance(current);
    EXPECT_EQ(attach(), "IncorrectState");
  }
  put_instance(InstanceState::stopped);
  EXPECT_EQ(attach(), "");
}

TEST_F(Volumes, AsManyAsThereAreSlots) {
  for (const auto& [platform, limit] : {std::pair{"", 27}, {"windows", 12}}) {
    put_instance(InstanceState::running, platform);
    transact([&](state::Transaction& transaction) {
      auto full = *transaction.find<state::Instance>(account, instance);
      full.volume_ids.resize(static_cast<size_t>(limit), "vol-0000000f");
      transaction.put(full);
    });
    EXPECT_EQ(attach(), "AttachmentLimitExceeded");
  }
}

TEST_F(Volumes, DetachedVolumesDoNotGoWithTheInstance) {
  put_instance(InstanceState::stopped);
  EXPECT_EQ(detach(root), "");
  EXPECT_EQ(stored(root).attachment_state, state::AttachmentState::detaching);
  EXPECT_FALSE(stored(root).delete_on_termination);
  EXPECT_FALSE(stored(root).detach_forced);
  EXPECT_TRUE(world()->find<state::Dependents>(account, instance)->volumes.empty());
  EXPECT_EQ(detach(root, "&Force=true"), "");
  EXPECT_TRUE(stored(root).detach_forced);
  EXPECT_EQ(detach(root), "");
  EXPECT_TRUE(stored(root).detach_forced);
}

TEST_F(Volumes, WhatCannotBeDetached) {
  put_instance();
  EXPECT_EQ(detach(root), "OperationNotPermitted");
  EXPECT_EQ(detach(volume), "IncorrectState");
  put_instance(InstanceState::stopped);
  EXPECT_EQ(detach(root, "&InstanceId=i-0000000f"), "InvalidInstanceID.NotFound");
  EXPECT_EQ(detach(root, "&Device=/dev/sdf"), "InvalidAttachment.NotFound");
  put<state::Instance>("i-00000002");
  EXPECT_EQ(detach(root, "&InstanceId=i-00000002"), "InvalidAttachment.NotFound");
  EXPECT_EQ(detach(root, fmt::format("&InstanceId={}&Device=xvda1", instance)), "");
  put_instance(InstanceState::stopping);
  EXPECT_EQ(detach(root), "IncorrectState");
}

// STO-102: the root that comes back, or the one that takes its place, is the disk that the machine boots from.
TEST_F(Volumes, ARootThatComesBackIsFirst) {
  put_instance(InstanceState::stopped);
  transact([&](state::Transaction& transaction) {
    auto changed = *transaction.find<state::Instance>(account, instance);
    changed.volume_ids = {"vol-00000009"};
    transaction.put(changed);
  });
  EXPECT_EQ(attach("/dev/sda1"), "");
  EXPECT_EQ(world()->find<state::Instance>(account, instance)->volume_ids, (std::vector<std::string>{volume, "vol-00000009"}));
}

// The record is its own first attachment: what an older daemon wrote is read, and read by one, as it was.
TEST(VolumeAttachments, TheOldestIsTheRecordItself) {
  state::Volume record;
  EXPECT_TRUE(record.attachments().empty());
  record.attach({.instance_id = "i-1", .device = "/dev/sdf", .attachment_state = state::AttachmentState::attached});
  EXPECT_FALSE(record.is_served());
  record.attach({.instance_id = "i-2", .device = "/dev/sdg", .attachment_state = state::AttachmentState::attaching, .served = true});
  record.attach({.instance_id = "i-3", .device = "/dev/sdh", .attachment_state = state::AttachmentState::attaching});
  EXPECT_TRUE(record.is_served());
  const auto instances = [&] {
    std::vector<std::string> ids;
    for (const auto* each : record.attachments()) ids.push_back(each->instance_id);
    return ids;
  };
  EXPECT_EQ(record.device, "/dev/sdf");
  EXPECT_EQ(instances(), (std::vector<std::string>{"i-1", "i-2", "i-3"}));
  EXPECT_EQ(record.attachment_to("i-2")->device, "/dev/sdg");
  EXPECT_EQ(record.attachment_to("i-4"), nullptr);
  record.detach_from("i-1");
  EXPECT_EQ(instances(), (std::vector<std::string>{"i-2", "i-3"}));
  EXPECT_EQ(record.device, "/dev/sdg");
  record.detach_from("i-3");
  record.detach_from("i-1");
  EXPECT_EQ(instances(), std::vector<std::string>{"i-2"});
  record.detach_from("i-2");
  EXPECT_TRUE(record.attachments().empty());
  EXPECT_EQ(record.device, "");
  EXPECT_FALSE(record.is_served());
}

TEST_F(Volumes, Modified) {
  put_volume(volume, state::VolumeState::available);
  const auto parameters = fmt::format("VolumeId={}", volume);
  EXPECT_EQ(code("DescribeVolumesModifications", "VolumeId.1=" + std::string(volume)), "InvalidVolumeModification.NotFound");
  const auto answer = call("ModifyVolume", parameters + "&Size=20&VolumeType=gp3");
  EXPECT_EQ(first(answer, "modificationState"), "modifying");
  EXPECT_EQ(first(answer, "originalSize"), "8");
  EXPECT_EQ(first(answer, "originalIops"), "100");
  EXPECT_EQ(first(answer, "targetSize"), "20");
  EXPECT_EQ(first(answer, "targetIops"), "3000");
  EXPECT_EQ(first(answer, "targetThroughput"), "125");
  EXPECT_EQ(code("ModifyVolume", parameters + "&Size=30"), "IncorrectModificationState");
  for (const auto* filter :
       {"volume-id&Filter.1.Value.1=vol-0000000*", "modification-state&Filter.1.Value.1=modifying", "original-size&Filter.1.Value.1=8",
        "original-iops&Filter.1.Value.1=100", "original-volume-type&Filter.1.Value.1=gp2", "target-size&Filter.1.Value.1=20",
        "target-iops&Filter.1.Value.1=3000", "target-volume-type&Filter.1.Value.1=gp3",
        "originalMultiAttachEnabled&Filter.1.Value.1=false"})
    EXPECT_EQ(count(call("DescribeVolumesModifications", "Filter.1.Name=" + std::string(filter)), "volumeId"), 1U) << filter;
  EXPECT_EQ(count(call("DescribeVolumesModifications", "Filter.1.Name=target-size&Filter.1.Value.1=8"), "volumeId"), 0U);
}

TEST_F(Volumes, WhatCannotBeModified) {
  put_volume(volume, state::VolumeState::available);
  const auto modify = [&](const std::string& rest) { return code("ModifyVolume", fmt::format("VolumeId={}{}", volume, rest)); };
  EXPECT_EQ(modify(""), "MissingParameter");
  EXPECT_EQ(modify("&Size=7"), "InvalidParameterValue");
  EXPECT_EQ(message_, "New size cannot be smaller than existing size");
  EXPECT_EQ(modify("&Iops=500"), "InvalidParameterCombination");
  EXPECT_EQ(modify("&VolumeType=st1"), "InvalidParameterValue");
  EXPECT_EQ(modify("&VolumeType=ssd"), "UnknownVolumeType");
  EXPECT_EQ(modify("&MultiAttachEnabled=true"), "InvalidParameterCombination");
  EXPECT_EQ(code("ModifyVolume", "VolumeId=vol-0000000f&Size=9"), "InvalidVolume.NotFound");
  put_volume(volume, state::VolumeState::creating);
  EXPECT_EQ(modify("&Size=9"), "IncorrectState");
  put_volume(volume, state::VolumeState::in_use);
  EXPECT_EQ(modify("&Size=8"), "");
}

TEST_F(Volumes, Status) {
  put_volume(volume, state::VolumeState::available);
  put_volume("vol-00000002", state::VolumeState::creating);
  put_volume("vol-00000003", state::VolumeState::error);
  const auto with = [&](const char* status) {
    return all(call("DescribeVolumeStatus", fmt::format("Filter.1.Name=volume-status.status&Filter.1.Value.1={}", status)), "volumeId");
  };
  EXPECT_EQ(with("ok"), std::vector<std::string>{volume});
  EXPECT_EQ(with("insufficient-data"), std::vector<std::string>{"vol-00000002"});
  EXPECT_EQ(with("impaired"), std::vector<std::string>{"vol-00000003"});
  EXPECT_EQ(code("EnableVolumeIO", "VolumeId=vol-00000003"), "IncorrectState");
  EXPECT_EQ(code("EnableVolumeIO", fmt::format("VolumeId={}", volume)), "");
}

TEST_F(Volumes, Attributes) {
  put_volume(volume, state::VolumeState::available);
  const auto shown = [&] {
    return first(call("DescribeVolumeAttribute", fmt::format("VolumeId={}&Attribute=autoEnableIO", volume)), "value");
  };
  EXPECT_EQ(shown(), "false");
  EXPECT_EQ(code("ModifyVolumeAttribute", fmt::format("VolumeId={}&AutoEnableIO.Value=true", volume)), "");
  EXPECT_EQ(shown(), "true");
  EXPECT_EQ(code("ModifyVolumeAttribute", fmt::format("VolumeId={}", volume)), "MissingParameter");
  EXPECT_EQ(code("DescribeVolumeAttribute", fmt::format("VolumeId={}&Attribute=colour", volume)), "InvalidParameterValue");
  EXPECT_EQ(count(call("DescribeVolumeAttribute", fmt::format("VolumeId={}&Attribute=productCodes", volume)), "value"), 0U);
}

}  // namespace
}  // namespace brume::ec2
