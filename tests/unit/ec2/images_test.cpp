#include "ec2/images/images.hpp"

#include <fmt/format.h>

#include "ec2_actions.hpp"

namespace brume::ec2 {
namespace {

using state::Image;

class Images : public ActionsTest {
 protected:
  Images() { add(image_actions()); }
  static constexpr const char* ami = "ami-00000001";

  void put_image(const std::string& id, const std::string& snapshot = "", std::function<void(Image&)> change = {}) {
    put<Image>(id, [&](Image& image) {
      image.name = id;
      image.root_device_name = "/dev/sda1";
      if (!snapshot.empty()) {
        image.block_devices.emplace_back();
        image.block_devices.back().device = "/dev/sda1";
        image.block_devices.back().snapshot_id = snapshot;
      }
      if (change) change(image);
    });
  }
  std::vector<std::string> listed(const std::string& parameters = {}) { return all(call("DescribeImages", parameters), "imageId"); }
  std::string deregister(const std::string& id, const std::string& more = {}) { return code("DeregisterImage", "ImageId=" + id + more); }
  using List = std::vector<std::string>;
};

TEST_F(Images, KernelsAndRamDisksAreImagesToo) {
  put_image("aki-00000001", "", [](Image& image) { image.type = "kernel"; });
  put_image("ari-00000001", "", [](Image& image) { image.type = "ramdisk"; });
  put_image(ami, "snap-00000001", [](Image& image) { image.kernel_id = "aki-00000001"; });
  EXPECT_EQ(listed("Filter.1.Name=image-type&Filter.1.Value=kernel"), List{"aki-00000001"});
  EXPECT_EQ(listed("Filter.1.Name=kernel-id&Filter.1.Value=aki-*"), List{ami});
  EXPECT_EQ(first(call("DescribeImages", "ImageId.1=aki-00000001"), "imageType"), "kernel");
  EXPECT_EQ(all(call("DescribeImages", "ImageId.1=ari-00000001"), "rootDeviceType"), List{});
  EXPECT_EQ(code("DescribeImages", "ImageId.1=aki-00000009"), "InvalidAMIID.NotFound");
  EXPECT_EQ(code("DescribeImages", "ImageId.1=aki-9"), "InvalidAMIID.Malformed");
  EXPECT_EQ(code("ModifyImageAttribute", "ImageId=aki-00000001&LaunchPermission.Add.1.Group=all"), "");
  as_ = stranger;
  EXPECT_EQ(listed("ExecutableBy.1=all"), List{"aki-00000001"});
}

TEST_F(Images, MachineImagesAreListedBeforeTheirParts) {
  put_image("aki-00000001", "", [](Image& image) { image.type = "kernel"; });
  put_image("aki-00000002", "", [](Image& image) { image.type = "kernel"; });
  put_image("ari-00000001", "", [](Image& image) { image.type = "ramdisk"; });
  put_image("ami-00000001");
  put_image("ami-00000002");
  const List order{"ami-00000001", "ami-00000002", "aki-00000001", "aki-00000002", "ari-00000001"};
  EXPECT_EQ(listed(), order);
  EXPECT_EQ(listed("ImageId.1=ari-00000001&ImageId.2=aki-00000001&ImageId.3=ami-00000002"),
            (List{"ami-00000002", "aki-00000001", "ari-00000001"}));
  for (const int size : {1, 2, 3}) {
    List seen;
    std::string token;
    do {
      const auto page = call("DescribeImages", "MaxResults=" + std::to_string(size) + (token.empty() ? "" : "&NextToken=" + token));
      for (const auto& id : all(page, "imageId")) seen.push_back(id);
      token = first(page, "nextToken");
      for (size_t at = token.find_first_of("+/="); at != std::string::npos; at = token.find_first_of("+/=", at + 1))
        token.replace(at, 1, token[at] == '+' ? "%2B" : token[at] == '/' ? "%2F" : "%3D");
      ASSERT_LE(seen.size(), order.size());
    } while (!token.empty());
    EXPECT_EQ(seen, order) << size << " a page";
  }
}

// A search for the name finds what can be launched, and not its parts.
TEST_F(Images, PartsOfAnImportAreNamedApart) {
  ImageImport import;
  import.account = account, import.name = "tiny", import.disk_file = "disk", import.kernel_file = "vmlinuz", import.ramdisk_file = "initrd";
  transact([&](state::Transaction& transaction) { import_image(transaction, import); });
  EXPECT_EQ(all(call("DescribeImages", "Filter.1.Name=name&Filter.1.Value=tiny*"), "imageType"), List{"machine"});
  EXPECT_EQ(all(call("DescribeImages"), "name"), (List{"tiny", "kernel.tiny", "ramdisk.tiny"}));
}

TEST_F(Images, WhatIsBootedWithStaysRegistered) {
  put_image("aki-00000001", "", [](Image& image) { image.type = "kernel"; });
  put_image(ami, "snap-00000001", [](Image& image) { image.kernel_id = "aki-00000001"; });
  EXPECT_EQ(deregister("aki-00000001"), "OperationNotPermitted");
  EXPECT_EQ(deregister(ami), "");
  put<state::Instance>("i-00000001", [](state::Instance& instance) { instance.kernel_id = "aki-00000001"; });
  EXPECT_EQ(deregister("aki-00000001"), "OperationNotPermitted");
  transact([](state::Transaction& transaction) { transaction.erase<state::Instance>("111122223333/i-00000001"); });
  EXPECT_EQ(deregister("aki-00000001"), "");
  EXPECT_EQ(listed(), List{});
}

TEST_F(Images, SnapshotsGoWithAnImageUnlessAnotherHasThem) {
  for (const char* id : {"snap-00000001", "snap-00000002"}) put<state::Snapshot>(id);
  put_image(ami, "snap-00000001");
  put_image("ami-00000002", "snap-00000002");
  put_image("ami-00000003", "snap-00000002");
  const auto answer = call("DeregisterImage", "ImageId=ami-00000001&DeleteAssociatedSnapshots=true");
  EXPECT_EQ(all(answer, "returnCode"), List{"success"});
  EXPECT_EQ(all(answer, "snapshotId"), List{"snap-00000001"});
  EXPECT_EQ(all(call("DeregisterImage", "ImageId=ami-00000002&DeleteAssociatedSnapshots=true"), "returnCode"), List{"skipped"});
  EXPECT_EQ(all(call("DeregisterImage", "ImageId=ami-00000003"), "returnCode"), List{});
  EXPECT_EQ(world()->find<state::Snapshot>(account, "snap-00000002")->state, state::SnapshotState::completed);
}

TEST_F(Images, IdsThatWereAreToldFromIdsThatNeverWere) {
  using std::chrono::minutes;
  const auto put_gone = [&](const std::string& id, minutes ago) {
    put_image(id, "", [&](Image& image) {
      image.state = state::ImageState::deregistered;
      image.deregistered = SystemClock().now() - ago;
    });
  };
  put_image(ami, "snap-00000001");
  put_gone("ami-00000002", minutes(59));
  put_gone("ami-00000003", minutes(61));
  EXPECT_EQ(deregister("ami-00000002"), "InvalidAMIID.Unavailable");
  EXPECT_EQ(deregister("ami-00000009"), "InvalidAMIID.NotFound");
  EXPECT_EQ(listed("ImageId.1=ami-00000002"), List{});
  EXPECT_EQ(deregister(ami), "");
  EXPECT_EQ(deregister(ami), "InvalidAMIID.Unavailable");
  // The next deregistration forgot what was gone for long enough.
  EXPECT_EQ(listed("ImageId.1=ami-00000002&ImageId.2=ami-00000001"), List{});
  EXPECT_EQ(code("DescribeImages", "ImageId.1=ami-00000003"), "InvalidAMIID.NotFound");
  EXPECT_EQ(deregister("ami-00000003"), "InvalidAMIID.NotFound");
  // To those who never could launch it, it never was.
  as_ = stranger;
  EXPECT_EQ(code("DescribeImages", "ImageId.1=ami-00000002"), "InvalidAMIID.NotFound");
  EXPECT_EQ(deregister("ami-00000002"), "InvalidAMIID.NotFound");
}

TEST_F(Images, ProtectionCoolsDownForADay) {
  put_image(ami, "snap-00000001");
  const std::string id = std::string("ImageId=") + ami;
  EXPECT_EQ(code("EnableImageDeregistrationProtection", id + "&WithCooldown=true"), "");
  EXPECT_EQ(first(call("DescribeImages"), "deregistrationProtection"), "enabled-with-cooldown");
  EXPECT_EQ(code("DisableImageDeregistrationProtection", id), "");
  const auto until = world()->find<Image>(account, ami)->protected_until;
  EXPECT_GT(until, SystemClock().now() + std::chrono::hours(23));
  EXPECT_EQ(deregister(ami), "OperationNotPermitted");
  put_image(ami, "", [](Image& image) { image.protected_until = SystemClock().now() - seconds(1); });
  EXPECT_EQ(deregister(ami), "");
}

TEST_F(Images, AProductCodeIsForGood) {
  put_image(ami, "snap-00000001");
  const auto on_ebs = [&] { return code("ModifyImageAttribute", std::string("ImageId=") + ami + "&ProductCode.1=774F4FF8"); };
  version_ = 20111201;
  EXPECT_EQ(on_ebs(), "UnsupportedOperation") << "AMI-070";
  version_ = 20161115;
  EXPECT_EQ(on_ebs(), "");
  put_image("ami-00000002");
  const auto set = [&](const std::string& codes) { return code("ModifyImageAttribute", "ImageId=ami-00000002" + codes); };
  EXPECT_EQ(set("&ProductCode.1=774F4FF8&ProductCode.2=6883959E"), "InvalidParameterValue");
  EXPECT_EQ(set("&ProductCode.1=774F4FF8"), "");
  EXPECT_EQ(set("&ProductCode.1=774F4FF8"), "");
  EXPECT_EQ(set("&ProductCode.1=6883959E"), "InvalidAMIAttributeItemValue");
  for (const auto* wrong : {"", "774f4ff8", "774F4FF", "774F4FF80", "774F%0AFF8"})
    EXPECT_EQ(set(std::string("&ProductCode.1=") + wrong), "InvalidAMIAttributeItemValue") << wrong;
  EXPECT_EQ(listed("Filter.1.Name=product-code&Filter.1.Value=774F*&Filter.2.Name=product-code.type&Filter.2.Value=devpay"),
            (List{ami, "ami-00000002"}));
  EXPECT_EQ(listed("Filter.1.Name=root-device-type&Filter.1.Value=instance-store"), List{"ami-00000002"});
  version_ = 20111201;
  EXPECT_EQ(first(call("DescribeImageAttribute", "ImageId=ami-00000002&Attribute=productCodes"), "productCode"), "774F4FF8");
}

// ----- registering

class Registering : public Images {
 protected:
  Registering() {
    put<state::Snapshot>("snap-00000001", [](state::Snapshot& snapshot) { snapshot.size_gib = 8; });
    put<state::Snapshot>("snap-00000002", [](state::Snapshot& snapshot) { snapshot.state = state::SnapshotState::pending; });
    put<state::Snapshot>("snap-00000003", [](state::Snapshot& snapshot) { snapshot.account = stranger; });
  }
  static constexpr const char* root = "&BlockDeviceMapping.1.DeviceName=/dev/sda1&BlockDeviceMapping.1.Ebs.SnapshotId=snap-00000001";
  // The code for an image with a root device and these parameters more.
  std::string with(const std::string& more) {
    return code("RegisterImage", fmt::format("Name=image{}&Architecture=x86_64&RootDeviceName=/dev/sda1{}{}", ++number_, root, more));
  }
  std::string second(const std::string& more) { return with("&BlockDeviceMapping.2.DeviceName=/dev/sdb" + more); }

 private:
  int number_ = 0;
};

TEST_F(Registering, WhatItCanBe) {
  EXPECT_EQ(with(""), "");
  EXPECT_EQ(with("&EnaSupport=true&SriovNetSupport=simple&VirtualizationType=hvm&BootMode=legacy-bios&ImdsSupport=v2.0"), "");
  const auto answer = call("DescribeImages", "Filter.1.Name=name&Filter.1.Value=image2");
  EXPECT_EQ(first(answer, "enaSupport"), "true");
  EXPECT_EQ(first(answer, "sriovNetSupport"), "simple");
  EXPECT_EQ(first(answer, "bootMode"), "legacy-bios");
  EXPECT_EQ(first(answer, "imdsSupport"), "v2.0");
  EXPECT_EQ(first(answer, "volumeSize"), "8");
  EXPECT_EQ(second("&BlockDeviceMapping.2.VirtualName=ephemeral0"), "");
  EXPECT_EQ(second("&BlockDeviceMapping.2.NoDevice="), "");
  EXPECT_EQ(second("&BlockDeviceMapping.2.Ebs.VolumeSize=8&BlockDeviceMapping.2.Ebs.VolumeType=gp3&BlockDeviceMapping.2.Ebs.Iops=4000"),
            "");
  EXPECT_EQ(first(call("DescribeImages", "Filter.1.Name=name&Filter.1.Value=image5"), "iops"), "4000");
  EXPECT_EQ(second("&BlockDeviceMapping.2.Ebs.VolumeSize=1&BlockDeviceMapping.2.Ebs.Encrypted=true"), "");
  EXPECT_NE(call("DescribeImages", "Filter.1.Name=name&Filter.1.Value=image6").find("<encrypted>true</encrypted>"), std::string::npos);
}

TEST_F(Registering, WhatItCannotBe) {
  EXPECT_EQ(with("&Description=" + std::string(256, 'x')), "InvalidParameterValue");
  EXPECT_EQ(with("&Description=%C3%A9"), "InvalidParameterValue");
  EXPECT_EQ(with("&VirtualizationType=metal"), "InvalidParameterValue");
  EXPECT_EQ(with("&BootMode=floppy"), "InvalidParameterValue");
  EXPECT_EQ(with("&BootMode=uefi"), "UnsupportedOperation");
  EXPECT_EQ(with("&SriovNetSupport=double"), "InvalidParameterValue");
  EXPECT_EQ(with("&ImdsSupport=v1.0"), "InvalidParameterValue");
  EXPECT_EQ(with("&TpmSupport=v2.0"), "UnsupportedOperation");
  EXPECT_EQ(with("&UefiData=AAAA"), "UnsupportedOperation");
  EXPECT_EQ(with("&BillingProduct.1=bp-1"), "AuthFailure");
  EXPECT_EQ(with("&KernelId=aki-00000001"), "InvalidAMIID.NotFound");
  EXPECT_EQ(with("&KernelId=aki"), "InvalidAMIID.Malformed");
  EXPECT_EQ(with("&TagSpecification.1.ResourceType=snapshot&TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b"),
            "InvalidParameterValue");
}

TEST_F(Registering, WhatItsDevicesCannotBe) {
  EXPECT_EQ(second(""), "InvalidBlockDeviceMapping") << "nothing is mapped";
  EXPECT_EQ(second("&BlockDeviceMapping.2.Ebs.DeleteOnTermination=true"), "InvalidBlockDeviceMapping");
  EXPECT_EQ(second("&BlockDeviceMapping.2.VirtualName=tape0"), "InvalidBlockDeviceMapping");
  EXPECT_EQ(second("&BlockDeviceMapping.2.VirtualName=ephemeral0&BlockDeviceMapping.2.Ebs.VolumeSize=1"), "InvalidBlockDeviceMapping");
  EXPECT_EQ(second("&BlockDeviceMapping.2.Ebs.SnapshotId=snap-00000001&BlockDeviceMapping.2.Ebs.VolumeSize=7"),
            "InvalidBlockDeviceMapping");
  EXPECT_EQ(second("&BlockDeviceMapping.2.Ebs.SnapshotId=snap-00000002"), "IncorrectState");
  EXPECT_EQ(second("&BlockDeviceMapping.2.Ebs.SnapshotId=snap-00000003"), "InvalidSnapshot.NotFound") << "another account's";
  EXPECT_EQ(second("&BlockDeviceMapping.2.Ebs.SnapshotId=snap-3"), "InvalidSnapshotID.Malformed");
  EXPECT_EQ(second("&BlockDeviceMapping.2.Ebs.SnapshotId=snap-00000001&BlockDeviceMapping.2.Ebs.Encrypted=true"),
            "InvalidBlockDeviceMapping");
  EXPECT_EQ(second("&BlockDeviceMapping.2.Ebs.VolumeSize=1&BlockDeviceMapping.2.Ebs.KmsKeyId=k"), "InvalidParameterDependency");
  EXPECT_EQ(second("&BlockDeviceMapping.2.Ebs.VolumeSize=1&BlockDeviceMapping.2.Ebs.Encrypted=true&BlockDeviceMapping.2.Ebs.KmsKeyId=k"),
            "InvalidParameterValue");
  EXPECT_EQ(second("&BlockDeviceMapping.2.Ebs.VolumeSize=1&BlockDeviceMapping.2.Ebs.VolumeType=tape"), "UnknownVolumeType");
  EXPECT_EQ(with("&BlockDeviceMapping.2.DeviceName=/dev/sda1&BlockDeviceMapping.2.Ebs.VolumeSize=1"), "InvalidBlockDeviceMapping")
      << "twice";
  EXPECT_EQ(with("&BlockDeviceMapping.2.Ebs.VolumeSize=1"), "MissingParameter");
  EXPECT_EQ(listed(), List{});
}

TEST_F(Images, WithWhomOthersShareIsNotShown) {
  put_image(ami, "", [](Image& image) {
    image.account = stranger;
    image.is_public = true;
    image.launch_accounts = {"777788889999"};
  });
  EXPECT_EQ(listed("ExecutableBy.1=777788889999"), List{});
  EXPECT_EQ(listed("ExecutableBy.1=all"), List{ami});
}

TEST_F(Images, EachAccountSeesItsOwnTagsOfAnImage) {
  add(tag_actions());
  put_image(ami, "", [](Image& image) { image.is_public = true; });
  call("CreateTags", std::string("ResourceId.1=") + ami + "&Tag.1.Key=mine&Tag.1.Value=1");
  as_ = stranger;
  EXPECT_EQ(listed("Filter.1.Name=tag:mine&Filter.1.Value=1"), List{});
  call("CreateTags", std::string("ResourceId.1=") + ami + "&Tag.1.Key=theirs&Tag.1.Value=2");
  EXPECT_EQ(all(call("DescribeImages"), "key"), List{"theirs"});
  as_ = account;
  EXPECT_EQ(all(call("DescribeImages"), "key"), List{"mine"});
}

TEST_F(Images, PagesOfNamedImages) {
  for (int i = 1; i <= 5; ++i) put_image(fmt::format("ami-0000000{}", i));
  const auto answer =
      call("DescribeImages", "ImageId.1=ami-00000004&ImageId.2=ami-00000002&ImageId.3=ami-00000001&ImageId.4=ami-00000002&MaxResults=2");
  EXPECT_EQ(all(answer, "imageId"), (List{"ami-00000001", "ami-00000002"}));
  std::string token;
  for (const char c : first(answer, "nextToken")) token += c == '+' ? "%2B" : std::string(1, c);
  const auto rest = call("DescribeImages", "ImageId.1=ami-00000004&ImageId.2=ami-00000002&ImageId.3=ami-00000001&NextToken=" + token);
  EXPECT_EQ(all(rest, "imageId"), List{"ami-00000004"});
  EXPECT_EQ(all(rest, "nextToken"), List{});
}

}  // namespace
}  // namespace brume::ec2
