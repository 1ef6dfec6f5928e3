#include <fmt/format.h>

#include "ec2_actions.hpp"

namespace brume::ec2 {
namespace {

using state::InstanceState;

class ImageCreation : public ActionsTest {
 protected:
  ImageCreation() {
    add(image_creation_actions());
    put_volume("vol-00000001", "/dev/sda1", true);
    put_volume("vol-00000002", "/dev/sdf", false);
    put_instance(InstanceState::running);
  }
  static constexpr const char* instance = "i-00000001";
  using List = std::vector<std::string>;

  void put_volume(const std::string& id, const std::string& device, bool goes_with_it,
                  state::AttachmentState how = state::AttachmentState::attached) {
    put<state::Volume>(id, [&](state::Volume& record) {
      record.size_gib = 8;
      record.type = "gp3";
      record.iops = 3100;
      record.state = state::VolumeState::in_use;
      record.instance_id = instance;
      record.device = device;
      record.attachment_state = how;
      record.delete_on_termination = goes_with_it;
    });
  }
  void put_instance(InstanceState current, const List& volumes = {"vol-00000001", "vol-00000002"}) {
    put<state::Instance>(instance, [&](state::Instance& record) {
      record.state = current;
      record.architecture = "x86_64";
      record.root_device_name = "/dev/sda1";
      record.kernel_id = "aki-00000001";
      record.product_codes = {"774F4FF8"};
      record.volume_ids = volumes;
      auto& store = record.instance_stores.emplace_back();
      store.device = "/dev/sdb";
      store.virtual_name = "ephemeral0";
      store.size_gib = 4;
    });
  }
  std::string refusal(const std::string& rest, const std::string& name = "image") {
    return code("CreateImage", fmt::format("InstanceId={}&Name={}{}", instance, name, rest));
  }
  state::Image created(const std::string& rest = {}, const std::string& name = "image") {
    const auto answer = call("CreateImage", fmt::format("InstanceId={}&Name={}{}", instance, name, rest));
    kept_ = world();
    return *kept_->find<state::Image>(account, first(answer, "imageId"));
  }
  const state::Snapshot& snapshot(const std::string& id) { return *kept_->find<state::Snapshot>(account, id); }
  // "device=volume" or "device=store" of all of the image's devices
  List devices(const state::Image& image) {
    List found;
    for (const auto& device : image.block_devices)
      found.push_back(device.device + "=" + (device.snapshot_id.empty() ? device.virtual_name : snapshot(device.snapshot_id).volume_id));
    return found;
  }
  static std::string mapping(int number, const std::string& device, const std::string& rest) {
    return fmt::format("&BlockDeviceMapping.{0}.DeviceName={1}&BlockDeviceMapping.{0}.{2}", number, device, rest);
  }
  state::WorldPointer kept_;
};

TEST_F(ImageCreation, OfAllThatTheInstanceHas) {
  const auto image = created("&Description=mine");
  EXPECT_EQ(devices(image), (List{"/dev/sda1=vol-00000001", "/dev/sdf=vol-00000002", "/dev/sdb=ephemeral0"}));
  EXPECT_EQ(image.state, state::ImageState::pending);
  EXPECT_EQ(image.reboot_instance, instance);
  EXPECT_EQ(image.description, "mine");
  EXPECT_EQ(image.location, std::string(account) + "/image");
  EXPECT_EQ(image.kernel_id, "aki-00000001");
  EXPECT_EQ(image.product_codes, List{"774F4FF8"});
  EXPECT_EQ(image.root_device_name, "/dev/sda1");
  const auto& root = image.block_devices.front();
  EXPECT_TRUE(root.delete_on_termination);
  EXPECT_EQ(root.size_gib, 8);
  EXPECT_EQ(root.volume_type, "gp3");
  EXPECT_EQ(root.iops, 3100);
  EXPECT_FALSE(image.block_devices.at(1).delete_on_termination);
  for (size_t i = 0; i < 2; ++i) {
    const auto& taken = snapshot(image.block_devices.at(i).snapshot_id);
    EXPECT_EQ(taken.state, state::SnapshotState::pending);
    EXPECT_EQ(taken.set_id, image.id);
    EXPECT_EQ(taken.description, fmt::format("Created by CreateImage({}) for {}", instance, image.id));
  }
}

TEST_F(ImageCreation, RebootsOnlyWhatRunsAndWhenItMay) {
  EXPECT_EQ(created("&NoReboot=true").reboot_instance, "");
  put_instance(InstanceState::stopped);
  EXPECT_EQ(created("", "second").reboot_instance, "");
}

TEST_F(ImageCreation, DescriptionOf2011) {
  version_ = 20111201;
  const auto image = created();
  EXPECT_EQ(snapshot(image.block_devices.front().snapshot_id).description, fmt::format("Created by CreateImage({})", instance));
}

TEST_F(ImageCreation, Tags) {
  const auto image = created(
      "&TagSpecification.1.ResourceType=image&TagSpecification.1.Tag.1.Key=of&TagSpecification.1.Tag.1.Value=image"
      "&TagSpecification.2.ResourceType=snapshot&TagSpecification.2.Tag.1.Key=of&TagSpecification.2.Tag.1.Value=snapshot");
  EXPECT_EQ(kept_->find<state::TagSet>(account, image.id)->tags.front().value, "image");
  for (size_t i = 0; i < 2; ++i)
    EXPECT_EQ(kept_->find<state::TagSet>(account, image.block_devices.at(i).snapshot_id)->tags.front().value, "snapshot");
  EXPECT_EQ(refusal("&TagSpecification.1.ResourceType=volume&TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v", "other"),
            "InvalidParameterValue");
}

TEST_F(ImageCreation, DevicesChangedByTheRequest) {
  put<state::Snapshot>("snap-00000001", [](state::Snapshot& record) { record.size_gib = 3; });
  const auto image = created(mapping(1, "/dev/sda1", "Ebs.DeleteOnTermination=false") + mapping(2, "xvdf", "NoDevice=") +
                             mapping(3, "/dev/sdg", "Ebs.VolumeSize=5") + mapping(4, "/dev/sdh", "Ebs.SnapshotId=snap-00000001") +
                             mapping(5, "/dev/sdc", "VirtualName=ephemeral1") + mapping(6, "/dev/sdb", "NoDevice="));
  ASSERT_EQ(image.block_devices.size(), 4U);
  EXPECT_FALSE(image.block_devices.at(0).delete_on_termination);
  EXPECT_EQ(image.block_devices.at(1).device, "/dev/sdg");
  EXPECT_EQ(image.block_devices.at(1).size_gib, 5);
  EXPECT_EQ(image.block_devices.at(2).snapshot_id, "snap-00000001");
  EXPECT_EQ(image.block_devices.at(2).size_gib, 3);
  EXPECT_EQ(image.block_devices.at(3).virtual_name, "ephemeral1");
}

TEST_F(ImageCreation, DevicesThatCannotBe) {
  const char* code = "InvalidBlockDeviceMapping";
  EXPECT_EQ(refusal(mapping(1, "/dev/sda1", "Ebs.VolumeSize=9")), code);
  EXPECT_EQ(refusal(mapping(1, "/dev/sda1", "Ebs.VolumeType=gp2")), code);
  EXPECT_EQ(refusal(mapping(1, "/dev/sda1", "NoDevice=")), code);
  EXPECT_EQ(refusal(mapping(1, "/dev/sda1", "VirtualName=ephemeral0")), code);
  EXPECT_EQ(refusal(mapping(1, "/dev/sdg", "Ebs.DeleteOnTermination=true")), code);
  EXPECT_EQ(refusal(mapping(1, "/dev/nothing", "Ebs.VolumeSize=1")), code);
  EXPECT_EQ(refusal(mapping(1, "/dev/sdg", "VirtualName=disk0")), code);
  EXPECT_EQ(refusal(mapping(1, "/dev/sdg", "Ebs.VolumeSize=1") + "&BlockDeviceMapping.1.VirtualName=ephemeral0"), code);
  EXPECT_EQ(refusal(mapping(1, "/dev/sdf", "Ebs.DeleteOnTermination=true") + mapping(2, "xvdf", "NoDevice=")), code);
  EXPECT_EQ(refusal(mapping(1, "/dev/sdg", "Ebs.SnapshotId=snap-0000000f")), "InvalidSnapshot.NotFound");
  EXPECT_EQ(refusal(mapping(1, "/dev/sdg", "Ebs.VolumeSize=0")), "InvalidParameterValue");
  put<state::Snapshot>("snap-00000001", [](state::Snapshot& record) { record.size_gib = 3; });
  EXPECT_EQ(refusal(mapping(1, "/dev/sdg", "Ebs.SnapshotId=snap-00000001") + "&BlockDeviceMapping.1.Ebs.VolumeSize=2"), code);
  EXPECT_EQ(refusal("&BlockDeviceMapping.1.Ebs.VolumeSize=2"), "MissingParameter");
}

TEST_F(ImageCreation, NamesAndDescriptions) {
  EXPECT_EQ(refusal("", "ab"), "InvalidAMIName.Malformed");
  EXPECT_EQ(refusal("", "a%24bc"), "InvalidAMIName.Malformed");
  EXPECT_EQ(refusal("", std::string(129, 'n')), "InvalidAMIName.Malformed");
  EXPECT_EQ(refusal("&Description=" + std::string(256, 'd')), "InvalidParameterValue");
  EXPECT_EQ(refusal("&SnapshotLocation=local"), "UnsupportedOperation");
  EXPECT_EQ(refusal("&NoReboot=true"), "");
  EXPECT_EQ(refusal("&NoReboot=true"), "InvalidAMIName.Duplicate");
}

TEST_F(ImageCreation, InstancesThatCannotBe) {
  EXPECT_EQ(code("CreateImage", "InstanceId=i-0000000f&Name=image"), "InvalidInstanceID.NotFound");
  EXPECT_EQ(code("CreateImage", "InstanceId=i-f&Name=image"), "InvalidInstanceID.Malformed");
  for (const auto current : {InstanceState::pending, InstanceState::stopping, InstanceState::shutting_down, InstanceState::terminated}) {
    put_instance(current);
    EXPECT_EQ(refusal(""), "IncorrectState");
  }
  put_instance(InstanceState::stopped, {"vol-00000002"});
  EXPECT_EQ(refusal(""), "InvalidParameterValue");
  put_instance(InstanceState::running);
  put_volume("vol-00000002", "/dev/sdf", false, state::AttachmentState::detaching);
  EXPECT_EQ(devices(created()), (List{"/dev/sda1=vol-00000001", "/dev/sdb=ephemeral0"}));
  EXPECT_EQ(refusal("", "while-it-is-shut-down"), "IncorrectState");
}

}  // namespace
}  // namespace brume::ec2
