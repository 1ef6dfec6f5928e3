// On which host a launch decides: by the room that each has, and by where files lie.
#include <map>

#include "ec2/instances/instances.hpp"
#include "ec2/storage/volumes.hpp"
#include "ec2_actions.hpp"

namespace brume::ec2 {
namespace {

class Placement : public ActionsTest {
 protected:
  Placement() {
    for (const auto& list : {launch_actions, volume_actions, volume_attachment_actions, instance_state_actions}) add(list());
    transact([&](state::Transaction& transaction) {
      transaction.put(state::Setting{"public-pool", "198.18.0.0/16"});
      state::Image image;
      image.account = account, image.id = "ami-00000001", image.root_device_name = "/dev/sda1", image.host = "host-1";
      // Of a snapshot that every host can read.
      state::Snapshot snapshot;
      snapshot.account = account, snapshot.id = "snap-00000001", snapshot.size_gib = 1, snapshot.state = state::SnapshotState::completed;
      auto& root = image.block_devices.emplace_back();
      root.device = "/dev/sda1", root.snapshot_id = snapshot.id, root.size_gib = 1;
      transaction.put(snapshot);
      transaction.put(image);
    });
    set_host("host-1", 20 << 10);
    set_host("host-2", 40 << 10);
  }
  void set_host(const std::string& id, std::int64_t memory_mib, bool takes_launches = true) {
    transact([&](state::Transaction& transaction) {
      state::Host host;
      host.id = id, host.memory_mib = memory_mib, host.processors = 1000, host.takes_launches = takes_launches;
      transaction.put(host);
    });
  }
  // Of 8 GiB each.
  static std::string of(int least, int most) {
    return "ImageId=ami-00000001&InstanceType=m5.large&MinCount=" + std::to_string(least) + "&MaxCount=" + std::to_string(most);
  }
  std::map<std::string, int> by_host() const {
    std::map<std::string, int> count;
    world()->each<state::Instance>("", [&](const state::Instance& instance) { ++count[instance.host]; });
    return count;
  }
};

using Counts = std::map<std::string, int>;

TEST_F(Placement, SpreadsByTheRoomThatThereIs) {
  call("RunInstances", of(3, 3));
  EXPECT_EQ(by_host(), (Counts{{"host-2", 3}})) << "which has room for five, the other for two";
  call("RunInstances", of(2, 2));
  EXPECT_EQ(by_host(), (Counts{{"host-1", 1}, {"host-2", 4}}));
  EXPECT_EQ(code("RunInstances", of(3, 3)), "InsufficientInstanceCapacity");
  call("RunInstances", of(1, 9));
  EXPECT_EQ(by_host(), (Counts{{"host-1", 2}, {"host-2", 5}}));
  EXPECT_EQ(code("RunInstances", of(1, 1)), "InsufficientInstanceCapacity");
  EXPECT_NE(message_.find("the host has too little free memory"), std::string::npos) << message_;
}

TEST_F(Placement, AHostThatTakesNoLaunchesGetsNone) {
  set_host("host-2", 40 << 10, false);
  call("RunInstances", of(1, 9));
  EXPECT_EQ(by_host(), (Counts{{"host-1", 2}}));
  set_host("host-1", 20 << 10, false);
  EXPECT_EQ(code("RunInstances", of(1, 1)), "InsufficientInstanceCapacity");
  EXPECT_NE(message_.find("no host takes launches"), std::string::npos) << message_;
}

TEST_F(Placement, GoesWhereTheSnapshotLies) {
  put<state::Snapshot>("snap-00000001", [](state::Snapshot& snapshot) { snapshot.size_gib = 1, snapshot.host = "host-1"; });
  put<state::Snapshot>("snap-00000002", [](state::Snapshot& snapshot) { snapshot.size_gib = 1, snapshot.host = "host-2"; });
  const std::string disk = "&BlockDeviceMapping.1.DeviceName=/dev/sdf&BlockDeviceMapping.1.Ebs.SnapshotId=snap-00000001";
  call("RunInstances", of(1, 9) + disk);
  EXPECT_EQ(by_host(), (Counts{{"host-1", 2}}));
  world()->each<state::Volume>("", [](const state::Volume& volume) { EXPECT_EQ(volume.host, "host-1"); });
  EXPECT_EQ(code("RunInstances", of(1, 1) + disk), "InsufficientInstanceCapacity") << "though the other host is empty";
  EXPECT_EQ(
      code("RunInstances", of(1, 1) + disk + "&BlockDeviceMapping.2.DeviceName=/dev/sdg&BlockDeviceMapping.2.Ebs.SnapshotId=snap-00000002"),
      "UnsupportedOperation");
}

TEST_F(Placement, AVolumeIsAttachedOnItsOwnHost) {
  call("RunInstances", of(1, 1));
  std::string instance;
  transact([&](state::Transaction& transaction) {
    transaction.world().each<state::Instance>("", [&](const state::Instance& launched) {
      auto running = launched;
      running.state = state::InstanceState::running;
      instance = running.id;
      EXPECT_EQ(running.host, "host-2");
      transaction.put(running);
    });
  });
  const auto zone = world()->find<state::Instance>(account, instance)->zone;
  const auto volume = first(call("CreateVolume", "Size=1&AvailabilityZone=" + zone), "volumeId");
  EXPECT_EQ(world()->find<state::Volume>(account, volume)->host, "host-1") << "where it was asked for";
  transact([&](state::Transaction& transaction) {
    auto made = *transaction.find<state::Volume>(account, volume);
    made.state = state::VolumeState::available;
    transaction.put(made);
  });
  const auto attach = "VolumeId=" + volume + "&InstanceId=" + instance + "&Device=/dev/sdh";
  EXPECT_EQ(code("AttachVolume", attach), "UnsupportedOperation");
  transact([&](state::Transaction& transaction) {
    auto made = *transaction.find<state::Volume>(account, volume);
    made.host = "host-2";
    transaction.put(made);
  });
  EXPECT_EQ(code("AttachVolume", attach), "");
}

TEST_F(Placement, AStoppedInstanceStartsOnItsOwnHost) {
  call("RunInstances", of(1, 1));
  std::string instance;
  const auto become = [&](state::InstanceState to, const std::string& host) {
    transact([&](state::Transaction& transaction) {
      transaction.world().each<state::Instance>("", [&](const state::Instance& found) {
        auto changed = found;
        changed.state = to;
        changed.host = host;
        instance = changed.id;
        transaction.put(changed);
      });
    });
  };
  become(state::InstanceState::stopped, "host-1");
  set_host("host-1", 4 << 10);
  EXPECT_EQ(code("StartInstances", "InstanceId.1=" + instance), "InsufficientInstanceCapacity") << "though the other host has room";
  set_host("host-1", 8 << 10);
  EXPECT_EQ(code("StartInstances", "InstanceId.1=" + instance), "");
  EXPECT_EQ(world()->find<state::Instance>(account, instance)->host, "host-1");
}

}  // namespace
}  // namespace brume::ec2
