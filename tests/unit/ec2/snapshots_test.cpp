#include <fmt/format.h>

#include "ec2/storage/volume_rules.hpp"
#include "ec2_actions.hpp"

namespace brume::ec2 {
namespace {

using state::InstanceState;

class Snapshots : public ActionsTest {
 protected:
  Snapshots() {
    add(snapshot_actions());
    put<state::Volume>(volume, [](state::Volume& record) {
      record.size_gib = 20;
      record.state = state::VolumeState::available;
    });
  }
  static constexpr const char* volume = "vol-00000001";
  static constexpr const char* snapshot = "snap-00000001";
  using List = std::vector<std::string>;

  // One of anybody's, completed unless `fill` says otherwise.
  template <class Fill>
  void put_snapshot(const std::string& owner, const std::string& id, Fill&& fill) {
    state::Snapshot record;
    record.account = owner;
    record.id = id;
    record.size_gib = 20;
    fill(record);
    transact([&](state::Transaction& transaction) {
      transaction.erase<state::Snapshot>(record.key());  // whatever state it was in
      transaction.put(std::move(record));
    });
  }
  void put_snapshot(const std::string& owner = account, const std::string& id = snapshot) {
    put_snapshot(owner, id, [](auto&) {});
  }
  List listed(const std::string& parameters = {}) { return all(call("DescribeSnapshots", parameters), "snapshotId"); }
  std::string modify(const std::string& rest) { return code("ModifySnapshotAttribute", fmt::format("SnapshotId={}&{}", snapshot, rest)); }
  List permissions() {
    const auto answer = call("DescribeSnapshotAttribute", fmt::format("SnapshotId={}&Attribute=createVolumePermission", snapshot));
    auto found = all(answer, "group");
    for (const auto& user : all(answer, "userId")) found.push_back(user);
    return found;
  }
};

TEST_F(Snapshots, Created) {
  const auto answer = call("CreateSnapshot", fmt::format("VolumeId={}&Description=mine", volume));
  EXPECT_EQ(first(answer, "status"), "pending");
  EXPECT_EQ(first(answer, "volumeSize"), "20");
  EXPECT_EQ(first(answer, "description"), "mine");
  EXPECT_EQ(first(answer, "ownerId"), account);
  EXPECT_NE(answer.find("<progress></progress>"), std::string::npos);
  const auto kept = world();
  const auto* record = kept->find<state::Snapshot>(account, first(answer, "snapshotId"));
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->volume_id, volume);
  EXPECT_EQ(record->progress, 0);
}

TEST_F(Snapshots, OfWhatThereIs) {
  EXPECT_EQ(code("CreateSnapshot", "VolumeId=vol-0000000f"), "InvalidVolume.NotFound");
  EXPECT_EQ(code("CreateSnapshot", "VolumeId=vol-f"), "InvalidVolumeID.Malformed");
  EXPECT_EQ(code("CreateSnapshot", fmt::format("VolumeId={}&Description={}", volume, std::string(255, 'd'))), "");
  EXPECT_EQ(code("CreateSnapshot", fmt::format("VolumeId={}&Description={}", volume, std::string(256, 'd'))), "InvalidParameterValue");
  EXPECT_EQ(code("CreateSnapshot", fmt::format("VolumeId={}&Location=local", volume)), "UnsupportedOperation");
  for (const auto state : {state::VolumeState::creating, state::VolumeState::deleting, state::VolumeState::error}) {
    put<state::Volume>(volume, [&](state::Volume& record) { record.state = state; });
    EXPECT_EQ(code("CreateSnapshot", fmt::format("VolumeId={}", volume)), "IncorrectState") << name_of(state);
  }
}

TEST_F(Snapshots, Quota) {
  transact([&](state::Transaction& transaction) {
    for (int i = 0; i < service::StorageQuotas{}.snapshots - 1; ++i) {
      state::Snapshot record;
      record.account = account;
      record.id = fmt::format("snap-{:08x}", i);
      transaction.put(std::move(record));
    }
  });
  EXPECT_EQ(code("CreateSnapshot", fmt::format("VolumeId={}", volume)), "");
  EXPECT_EQ(code("CreateSnapshot", fmt::format("VolumeId={}", volume)), "SnapshotLimitExceeded");
}

class SnapshotSets : public Snapshots {
 protected:
  SnapshotSets() {
    attach("vol-0000000a", "/dev/sda1");
    attach("vol-0000000b", "/dev/sdf");
    attach("vol-0000000c", "/dev/sdg");
    put<state::Instance>(instance, [](state::Instance& record) {
      record.state = InstanceState::running;
      record.root_device_name = "/dev/sda1";
      record.volume_ids = {"vol-0000000a", "vol-0000000b", "vol-0000000c"};
    });
  }
  static constexpr const char* instance = "i-00000001";
  void attach(const std::string& id, const std::string& device, state::AttachmentState how = state::AttachmentState::attached) {
    put<state::Volume>(id, [&](state::Volume& record) {
      record.state = state::VolumeState::in_use;
      record.instance_id = instance;
      record.device = device;
      record.attachment_state = how;
    });
    transact([&](state::Transaction& transaction) {
      transaction.put(state::TagSet{account, id, "volume", {{"on", id}, {"who", "volume"}}});
    });
  }
  std::string copied(const std::string& rest = {}) {
    return call("CreateSnapshots", fmt::format("InstanceSpecification.InstanceId={}{}", instance, rest));
  }
  std::string refusal(const std::string& rest) {
    return code("CreateSnapshots", fmt::format("InstanceSpecification.InstanceId={}{}", instance, rest));
  }
};

TEST_F(SnapshotSets, AllAtOneInstant) {
  const auto answer = copied("&Description=set");
  EXPECT_EQ(all(answer, "volumeId"), (List{"vol-0000000a", "vol-0000000b", "vol-0000000c"}));
  EXPECT_EQ(all(answer, "state"), (List{"pending", "pending", "pending"}));
  std::string set;
  for (const auto& id : all(answer, "snapshotId")) {
    const auto kept = world();
    const auto* record = kept->find<state::Snapshot>(account, id);
    ASSERT_NE(record, nullptr);
    EXPECT_FALSE(record->set_id.empty());
    EXPECT_TRUE(set.empty() || set == record->set_id);
    set = record->set_id;
  }
  EXPECT_NE(set, "");
}

TEST_F(SnapshotSets, WithoutSome) {
  EXPECT_EQ(all(copied("&InstanceSpecification.ExcludeBootVolume=true"), "volumeId"), (List{"vol-0000000b", "vol-0000000c"}));
  EXPECT_EQ(all(copied("&InstanceSpecification.ExcludeDataVolumeId.1=vol-0000000b"), "volumeId"), (List{"vol-0000000a", "vol-0000000c"}));
  EXPECT_EQ(refusal("&InstanceSpecification.ExcludeDataVolumeId.1=vol-0000000a"), "InvalidParameterValue");
  EXPECT_EQ(refusal(fmt::format("&InstanceSpecification.ExcludeDataVolumeId.1={}", volume)), "InvalidParameterValue");
  EXPECT_EQ(refusal("&InstanceSpecification.ExcludeBootVolume=true&InstanceSpecification.ExcludeDataVolumeId.1=vol-0000000b"
                    "&InstanceSpecification.ExcludeDataVolumeId.2=vol-0000000c"),
            "InvalidParameterValue");
  EXPECT_EQ(code("CreateSnapshots", "InstanceSpecification.InstanceId=i-0000000f"), "InvalidInstanceID.NotFound");
  EXPECT_EQ(code("CreateSnapshots", "InstanceSpecification.ExcludeBootVolume=true"), "MissingParameter");
  attach("vol-0000000c", "/dev/sdg", state::AttachmentState::detaching);
  EXPECT_EQ(all(copied(), "volumeId"), (List{"vol-0000000a", "vol-0000000b"}));
}

TEST_F(SnapshotSets, TagsOfTheVolumesAndOfTheRequest) {
  auto answer = copied(
      "&CopyTagsFromSource=volume&InstanceSpecification.ExcludeBootVolume=true"
      "&InstanceSpecification.ExcludeDataVolumeId.1=vol-0000000c&TagSpecification.1.ResourceType=snapshot"
      "&TagSpecification.1.Tag.1.Key=who&TagSpecification.1.Tag.1.Value=asked");
  EXPECT_EQ(all(answer, "key"), (List{"on", "who"}));
  EXPECT_EQ(all(answer, "value"), (List{"vol-0000000b", "asked"}));
  answer = copied("&CopyTagsFromSource=volume");
  EXPECT_EQ(count(answer, "key"), 6U);
  EXPECT_EQ(count(copied(), "key"), 0U);
  EXPECT_EQ(refusal("&CopyTagsFromSource=instance"), "InvalidParameterValue");
}

TEST_F(Snapshots, WhoSeesWhich) {
  put_snapshot(account, "snap-00000001");
  put_snapshot(stranger, "snap-00000002");
  put_snapshot(stranger, "snap-00000003", [](auto& record) { record.create_volume_accounts = {account}; });
  put_snapshot(stranger, "snap-00000004", [](auto& record) { record.is_public = true; });
  put_snapshot(stranger, "snap-00000005", [](auto& record) { record.create_volume_accounts = {"555566667777"}; });
  EXPECT_EQ(listed(), (List{"snap-00000001", "snap-00000003", "snap-00000004"}));
  EXPECT_EQ(listed("Owner.1=self"), List{"snap-00000001"});
  EXPECT_EQ(listed("Owner.1=" + std::string(stranger)), (List{"snap-00000003", "snap-00000004"}));
  EXPECT_EQ(listed("Owner.1=amazon"), List{});
  EXPECT_EQ(listed("RestorableBy.1=self"), (List{"snap-00000001", "snap-00000003"}));
  EXPECT_EQ(listed("RestorableBy.1=all"), List{"snap-00000004"});
  EXPECT_EQ(listed("RestorableBy.1=555566667777"), List{});
  EXPECT_EQ(listed("RestorableBy.1=self&Owner.1=self"), List{"snap-00000001"});
  EXPECT_EQ(code("DescribeSnapshots", "Owner.1=nobody"), "InvalidUserID.Malformed");
  EXPECT_EQ(code("DescribeSnapshots", "RestorableBy.1=nobody"), "InvalidUserID.Malformed");
  // One that there is, and one that there is not.
  EXPECT_EQ(listed("SnapshotId.1=snap-00000002&SnapshotId.2=snap-00000001"), List{"snap-00000001"});
  EXPECT_EQ(code("DescribeSnapshots", "SnapshotId.1=snap-0000000f"), "InvalidSnapshot.NotFound");
  EXPECT_EQ(code("DescribeSnapshots", "SnapshotId.1=snap-f"), "InvalidSnapshotID.Malformed");
  transact([&](state::Transaction& transaction) { transaction.put(state::StorageDefaults{stranger, false, "block-all-sharing"}); });
  EXPECT_EQ(listed(), (List{"snap-00000001", "snap-00000003"}));
}

TEST_F(Snapshots, Filters) {
  put_snapshot(account, snapshot, [](auto& record) {
    record.volume_id = volume;
    record.description = "nightly";
    record.started = Time(milliseconds(1'322'000'000'000));
  });
  put_snapshot(account, "snap-00000002", [](auto& record) {
    record.state = state::SnapshotState::pending;
    record.progress = 60;
    record.size_gib = 1;
    record.copy_of = snapshot;
  });
  const std::vector<std::pair<const char*, const char*>> filters = {
      {"snapshot-id", "snap-00000001"}, {"volume-id", "vol-00000001"}, {"volume-size", "20"},     {"status", "completed"},
      {"start-time", "2011-11-22*"},    {"progress", "100%25"},        {"description", "night*"},
  };
  for (const auto& [name, value] : filters)
    EXPECT_EQ(listed(fmt::format("Filter.1.Name={}&Filter.1.Value.1={}", name, value)), List{snapshot}) << name;
  EXPECT_EQ(listed("Filter.1.Name=progress&Filter.1.Value.1=60%25"), List{"snap-00000002"});
  EXPECT_EQ(listed("Filter.1.Name=transfer-type&Filter.1.Value.1=standard"), List{"snap-00000002"});
  EXPECT_EQ(listed("Filter.1.Name=encrypted&Filter.1.Value.1=true"), List{});
  EXPECT_EQ(listed(fmt::format("Filter.1.Name=owner-id&Filter.1.Value.1={}&Filter.2.Name=storage-tier&Filter.2.Value.1=standard", account))
                .size(),
            2U);
  EXPECT_EQ(code("DescribeSnapshots", "Filter.1.Name=colour&Filter.1.Value.1=red"), "InvalidParameterValue");
}

TEST_F(Snapshots, Deleted) {
  put_snapshot();
  const auto in_an_image = [&](state::ImageState state) {
    put<state::Image>("ami-00000001", [&](state::Image& record) {
      record.state = state;
      record.block_devices.emplace_back().snapshot_id = snapshot;
    });
    return code("DeleteSnapshot", fmt::format("SnapshotId={}", snapshot));
  };
  EXPECT_EQ(in_an_image(state::ImageState::pending), "InvalidSnapshot.InUse");
  EXPECT_EQ(in_an_image(state::ImageState::available), "InvalidSnapshot.InUse");
  EXPECT_EQ(in_an_image(state::ImageState::deregistered), "");
  EXPECT_EQ(world()->find<state::Snapshot>(account, snapshot)->state, state::SnapshotState::deleting);
  EXPECT_EQ(listed(), List{});
  EXPECT_EQ(code("DescribeSnapshots", fmt::format("SnapshotId.1={}", snapshot)), "InvalidSnapshot.NotFound");
  EXPECT_EQ(code("DeleteSnapshot", fmt::format("SnapshotId={}", snapshot)), "InvalidSnapshot.NotFound");
  put_snapshot();
  EXPECT_EQ(in_an_image(state::ImageState::failed), "");
}

TEST_F(Snapshots, OnlyTheOwnerDeletesAndShares) {
  put_snapshot(stranger, snapshot);
  const auto id = fmt::format("SnapshotId={}", snapshot);
  const std::vector<std::pair<const char*, const char*>> requests = {{"DeleteSnapshot", ""},
                                                                     {"ModifySnapshotAttribute", "&CreateVolumePermission.Add.1.Group=all"},
                                                                     {"DescribeSnapshotAttribute", "&Attribute=createVolumePermission"},
                                                                     {"ResetSnapshotAttribute", "&Attribute=createVolumePermission"}};
  for (const auto& [action, rest] : requests) EXPECT_EQ(code(action, id + rest), "InvalidSnapshot.NotFound") << action;
  put_snapshot(stranger, snapshot, [](auto& record) { record.is_public = true; });
  for (const auto& [action, rest] : requests) EXPECT_EQ(code(action, id + rest), "AuthFailure") << action;
}

TEST_F(Snapshots, SharedInEveryForm) {
  put_snapshot();
  EXPECT_EQ(permissions(), List{});
  EXPECT_EQ(modify("CreateVolumePermission.Add.1.UserId=111111111111"), "");
  EXPECT_EQ(modify("CreateVolumePermission.Add.1.UserId=111111111111"), "");
  EXPECT_EQ(modify("Attribute=createVolumePermission&OperationType=add&UserId.1=222222222222&UserGroup.1=all"), "");
  EXPECT_EQ(permissions(), (List{"all", "111111111111", "222222222222"}));
  EXPECT_EQ(modify("CreateVolumePermission.Remove.1.UserId=111111111111&CreateVolumePermission.Remove.2.Group=all"), "");
  EXPECT_EQ(modify("Attribute=createVolumePermission&OperationType=remove&UserId.1=222222222222"), "");
  EXPECT_EQ(permissions(), List{});
  // The guide's own.
  version_ = 20111201;
  EXPECT_EQ(code("ModifySnapshotAttribute", fmt::format("SnapshotId.1={}&Add.1=all&Add.2=333333333333", snapshot)), "");
  EXPECT_EQ(permissions(), (List{"all", "333333333333"}));
  EXPECT_EQ(code("ModifySnapshotAttribute", fmt::format("SnapshotId.1={}&Remove.1=all", snapshot)), "");
  EXPECT_EQ(all(call("DescribeSnapshotAttribute", fmt::format("SnapshotId={}", snapshot)), "userId"), List{"333333333333"});
  EXPECT_EQ(code("ResetSnapshotAttribute", fmt::format("SnapshotId={}", snapshot)), "");
  EXPECT_EQ(permissions(), List{});
  EXPECT_NE(
      call("DescribeSnapshotAttribute", fmt::format("SnapshotId={}", snapshot)).find("<createVolumePermission></createVolumePermission>"),
      std::string::npos);
}

TEST_F(Snapshots, WhatCannotBeShared) {
  put_snapshot();
  EXPECT_EQ(modify("Attribute=createVolumePermission"), "MissingParameter");
  EXPECT_EQ(modify("Attribute=productCodes&CreateVolumePermission.Add.1.Group=all"), "InvalidParameterValue");
  EXPECT_EQ(modify("CreateVolumePermission.Add.1.Group=some"), "InvalidParameterValue");
  EXPECT_EQ(modify("OperationType=add&UserGroup.1=some"), "InvalidParameterValue");
  EXPECT_EQ(modify("OperationType=give&UserId.1=111111111111"), "InvalidParameterValue");
  EXPECT_EQ(modify("CreateVolumePermission.Add.1.UserId=1111"), "InvalidUserID.Malformed");
  EXPECT_EQ(modify("CreateVolumePermission.Add.1.UserId=111111111111&CreateVolumePermission.Remove.1.UserId=222222222222"),
            "InvalidParameterCombination");
  std::string many = "OperationType=add";
  for (int i = 1; i <= 501; ++i) many += fmt::format("&UserId.{}={:012}", i, i);
  EXPECT_EQ(modify(many), "InvalidParameterValue");
  EXPECT_EQ(code("DescribeSnapshotAttribute", fmt::format("SnapshotId={}&Attribute=colour", snapshot)), "InvalidParameterValue");
  EXPECT_EQ(code("ResetSnapshotAttribute", fmt::format("SnapshotId={}&Attribute=colour", snapshot)), "InvalidParameterValue");
  put_snapshot(account, snapshot, [](auto& record) { record.encrypted = true; });
  EXPECT_EQ(modify("CreateVolumePermission.Add.1.UserId=111111111111"), "OperationNotPermitted");
}

TEST_F(Snapshots, BlockedPublicAccess) {
  put_snapshot();
  const auto state = [&] { return first(call("GetSnapshotBlockPublicAccessState"), "state"); };
  EXPECT_EQ(state(), "unblocked");
  EXPECT_EQ(code("EnableSnapshotBlockPublicAccess", "State=unblocked"), "InvalidParameterValue");
  EXPECT_EQ(first(call("EnableSnapshotBlockPublicAccess", "State=block-new-sharing"), "state"), "block-new-sharing");
  EXPECT_EQ(state(), "block-new-sharing");
  EXPECT_EQ(modify("CreateVolumePermission.Add.1.Group=all"), "OperationNotPermitted");
  EXPECT_EQ(modify("CreateVolumePermission.Add.1.UserId=111111111111"), "");
  EXPECT_EQ(first(call("DisableSnapshotBlockPublicAccess"), "state"), "unblocked");
  EXPECT_EQ(modify("CreateVolumePermission.Add.1.Group=all"), "");
  EXPECT_EQ(code("EnableSnapshotBlockPublicAccess", "State=block-all-sharing"), "");
  as_ = stranger;
  EXPECT_EQ(state(), "unblocked");
  EXPECT_EQ(listed(), List{});
}

TEST_F(Snapshots, EncryptedOnesAreCopiedEncrypted) {
  put_snapshot(account, snapshot, [](auto& record) { record.encrypted = true; });
  const auto request = fmt::format("SourceRegion=us-east-1&SourceSnapshotId={}", snapshot);
  EXPECT_EQ(code("CopySnapshot", request + "&Encrypted=false"), "InvalidParameterValue");
  const auto copy = first(call("CopySnapshot", request + "&Encrypted=true&KmsKeyId=alias/aws/ebs"), "snapshotId");
  EXPECT_TRUE(world()->find<state::Snapshot>(account, copy)->encrypted);
}

TEST_F(Snapshots, OthersAreCopiedEncryptedWhenAskedOrByDefault) {
  put_snapshot();
  add(ebs_encryption_actions());
  const auto request = fmt::format("SourceRegion=us-east-1&SourceSnapshotId={}", snapshot);
  const auto copied = [&](const std::string& rest) {
    const auto copy = first(call("CopySnapshot", request + rest), "snapshotId");
    return world()->find<state::Snapshot>(account, copy)->encrypted;
  };
  EXPECT_FALSE(copied(""));
  EXPECT_TRUE(copied("&Encrypted=true"));
  EXPECT_FALSE(copied("&Encrypted=false"));
  EXPECT_EQ(code("EnableEbsEncryptionByDefault"), "");
  EXPECT_TRUE(copied(""));
  EXPECT_TRUE(copied("&Encrypted=false"));
}

class Locks : public Snapshots {
 protected:
  std::string lock(const std::string& rest) { return code("LockSnapshot", fmt::format("SnapshotId={}&{}", snapshot, rest)); }
  std::string state_now() { return first(call("DescribeLockedSnapshots"), "lockState"); }
  std::string remove() { return code("DeleteSnapshot", fmt::format("SnapshotId={}", snapshot)); }
  std::string unlock() { return code("UnlockSnapshot", fmt::format("SnapshotId={}", snapshot)); }
  // As if it had been locked so long ago.
  void age(std::chrono::hours by) {
    transact([&](state::Transaction& transaction) {
      auto aged = *transaction.find<state::Snapshot>(account, snapshot);
      aged.lock_created -= by;
      aged.lock_expires -= by;
      if (aged.cool_off_until != Time{}) aged.cool_off_until -= by;
      transaction.put(std::move(aged));
    });
  }
};

TEST_F(Locks, WhatALockMayBe) {
  put_snapshot();
  EXPECT_EQ(lock("LockMode=iron&LockDuration=1"), "InvalidParameterValue");
  EXPECT_EQ(lock("LockMode=governance"), "MissingParameter");
  EXPECT_EQ(lock("LockMode=governance&LockDuration=1&ExpirationDate=2099-01-01T00:00:00Z"), "InvalidParameterCombination");
  EXPECT_EQ(lock("LockMode=governance&LockDuration=0"), "InvalidParameterValue");
  EXPECT_EQ(lock("LockMode=governance&LockDuration=36501"), "InvalidParameterValue");
  EXPECT_EQ(lock("LockMode=governance&ExpirationDate=2011-01-01T00:00:00Z"), "InvalidParameterValue");
  EXPECT_EQ(lock("LockMode=governance&LockDuration=1&CoolOffPeriod=1"), "InvalidParameterCombination");
  EXPECT_EQ(lock("LockMode=compliance&LockDuration=1&CoolOffPeriod=73"), "InvalidParameterValue");
  EXPECT_EQ(code("LockSnapshot", "SnapshotId=snap-0000000f&LockMode=governance&LockDuration=1"), "InvalidSnapshot.NotFound");
  put_snapshot(account, snapshot, [](auto& record) { record.state = state::SnapshotState::pending; });
  EXPECT_EQ(lock("LockMode=governance&LockDuration=1"), "IncorrectState");
}

TEST_F(Locks, GovernanceCanBeTakenBack) {
  put_snapshot();
  EXPECT_EQ(unlock(), "IncorrectState");
  const auto answer = call("LockSnapshot", fmt::format("SnapshotId={}&LockMode=governance&LockDuration=7", snapshot));
  EXPECT_EQ(first(answer, "lockState"), "governance");
  EXPECT_EQ(first(answer, "lockDuration"), "7");
  EXPECT_EQ(count(answer, "coolOffPeriod"), 0U);
  EXPECT_EQ(remove(), "OperationNotPermitted");
  EXPECT_EQ(lock("LockMode=governance&LockDuration=1"), "");
  EXPECT_EQ(unlock(), "");
  EXPECT_EQ(state_now(), "");
  EXPECT_EQ(remove(), "");
}

TEST_F(Locks, ComplianceOnlyWhileItCoolsOff) {
  put_snapshot();
  EXPECT_EQ(lock("LockMode=compliance&LockDuration=7&CoolOffPeriod=3"), "");
  EXPECT_EQ(state_now(), "compliance-cooloff");
  EXPECT_EQ(first(call("DescribeLockedSnapshots"), "coolOffPeriod"), "3");
  EXPECT_EQ(unlock(), "");
  EXPECT_EQ(lock("LockMode=compliance&LockDuration=7&CoolOffPeriod=3"), "");
  age(std::chrono::hours(3));
  EXPECT_EQ(state_now(), "compliance");
  EXPECT_EQ(unlock(), "OperationNotPermitted");
  EXPECT_EQ(remove(), "OperationNotPermitted");
  EXPECT_EQ(lock("LockMode=governance&LockDuration=8"), "OperationNotPermitted");
  EXPECT_EQ(lock("LockMode=compliance&LockDuration=6"), "OperationNotPermitted");
  EXPECT_EQ(lock("LockMode=compliance&LockDuration=8&CoolOffPeriod=1"), "OperationNotPermitted");
  EXPECT_EQ(lock("LockMode=compliance&LockDuration=8"), "");
  EXPECT_EQ(state_now(), "compliance");
  age(std::chrono::hours(24 * 8));
  EXPECT_EQ(state_now(), "expired");
  EXPECT_EQ(count(call("DescribeLockedSnapshots", "Filter.1.Name=lock-state&Filter.1.Value.1=expired"), "snapshotId"), 1U);
  EXPECT_EQ(count(call("DescribeLockedSnapshots", "Filter.1.Name=lock-state&Filter.1.Value.1=compliance"), "snapshotId"), 0U);
  EXPECT_EQ(remove(), "");
}

TEST_F(Snapshots, Copied) {
  put_snapshot(stranger, snapshot, [](auto& record) { record.create_volume_accounts = {account}; });
  const auto copy = [&](const std::string& rest = {}) {
    return code("CopySnapshot", fmt::format("SourceRegion=us-east-1&SourceSnapshotId={}{}", snapshot, rest));
  };
  const auto answer =
      call("CopySnapshot",
           fmt::format("SourceRegion=us-east-1&DestinationRegion=us-east-1&PresignedUrl=x&Description=c&SourceSnapshotId={}"
                       "&TagSpecification.1.ResourceType=snapshot&TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v",
                       snapshot));
  EXPECT_EQ(first(answer, "key"), "k");
  const auto kept = world();
  const auto* record = kept->find<state::Snapshot>(account, first(answer, "snapshotId"));
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->copy_of, snapshot);
  EXPECT_EQ(record->size_gib, 20);
  EXPECT_EQ(record->state, state::SnapshotState::pending);
  EXPECT_EQ(copy("&CompletionDurationMinutes=15"), "UnsupportedOperation");
  EXPECT_EQ(copy("&DestinationOutpostArn=arn"), "UnsupportedOperation");
  EXPECT_EQ(copy("&DestinationRegion=eu-west-1"), "InvalidParameterValue");
  EXPECT_EQ(code("CopySnapshot", fmt::format("SourceRegion=eu-west-1&SourceSnapshotId={}", snapshot)), "InvalidParameterValue");
  EXPECT_EQ(code("CopySnapshot", "SourceRegion=us-east-1&SourceSnapshotId=snap-0000000f"), "InvalidSnapshot.NotFound");
  EXPECT_EQ(copy("&Encrypted=true&KmsKeyId=alias/mine"), "InvalidParameterValue");
  EXPECT_EQ(copy("&KmsKeyId=alias/mine"), "InvalidParameterDependency");
  put_snapshot(stranger);
  EXPECT_EQ(copy(), "InvalidSnapshot.NotFound");
  put_snapshot(account, "snap-00000002", [](auto& pending) { pending.state = state::SnapshotState::pending; });
  EXPECT_EQ(code("CopySnapshot", "SourceRegion=us-east-1&SourceSnapshotId=snap-00000002"), "IncorrectState");
}

}  // namespace
}  // namespace brume::ec2
