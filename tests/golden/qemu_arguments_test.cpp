// The whole command line of each kind of machine, compared with a file. BRUME_UPDATE_GOLDEN=1 writes the files anew.
#include <fcntl.h>
#include <gtest/gtest.h>

#include "engines/compute/qemu_arguments.hpp"
#include "golden_file.hpp"

namespace brume::compute {
namespace {

constexpr const char* folder = "/var/lib/brume/machines/i-0123456789abcdef0";

MachineSpec make_spec() {
  MachineSpec spec;
  spec.id = "i-0123456789abcdef0";
  spec.uuid = "ec2e1916-9099-7caf-fd21-012345abcdef";
  spec.product = "t2.micro";
  spec.memory_mib = 1024;
  spec.disks.push_back({"vol-0123456789abcdef0", "/var/lib/brume/blocks/volumes/vol-0123456789abcdef0.qcow2", "qcow2"});
  spec.nics.push_back({"eni-0123456789abcdef0", "02:ab:cd:00:00:01", Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC))});
  return spec;
}

QemuHost make_host(const char* accelerator) {
  QemuHost host;
  host.accelerator = accelerator;
  host.folder = folder;
  host.qmp_socket = 40;
  host.console_socket = 41;
  host.user = 0x60000001;
  return host;
}

// One option with its value a line.
std::string text_of(const Command& command) {
  std::string text = "user " + (command.user ? std::to_string(*command.user) : "-") + "\nfolder " + command.folder + "\noutput " +
                     command.output_file + "\n";
  for (const auto& [ours, theirs] : command.descriptors) text += "descriptor " + std::to_string(theirs) + "\n";
  text += command.program;
  for (const auto& argument : command.arguments) text += (argument.starts_with("-") ? "\n" : " ") + argument;
  return text + "\n";
}

TEST(QemuArguments, DiskWithItsOwnBootLoader) { expect_golden("qemu_disk.args", text_of(qemu_command(make_spec(), make_host("tcg")))); }

TEST(QemuArguments, KernelAndRamdisk) {
  auto spec = make_spec();
  spec.kernel = "/var/lib/brume/blocks/boot/aki-1";
  spec.ramdisk = "/var/lib/brume/blocks/boot/ari-1";
  spec.kernel_arguments = "root=/dev/vda rw console=ttyS0,115200";
  expect_golden("qemu_kernel.args", text_of(qemu_command(spec, make_host("tcg"))));
}

TEST(QemuArguments, KvmWithTwoOfEverything) {
  auto spec = make_spec();
  spec.processors = 4;
  spec.memory_mib = 8192;
  spec.product.clear();
  spec.disks.push_back({"vol-0fedcba9876543210", "/data, with a comma/vol.raw", "raw"});
  spec.nics.push_back({"eni-0fedcba9876543210", "02:ab:cd:00:00:02", Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC))});
  expect_golden("qemu_kvm.args", text_of(qemu_command(spec, make_host("kvm"))));
}

// What several machines have is no file of the machine's: it comes in by its server's door.
TEST(QemuArguments, ADiskThatOthersHaveToo) {
  auto spec = make_spec();
  Disk shared{"vol-0fedcba9876543210", "/var/lib/brume/blocks/layers/vol-0fedcba9876543210.3.qcow2", "qcow2", "/dev/sdf", 3};
  shared.served_to = spec.id;
  shared.key = "never shown";
  spec.disks.push_back(shared);
  expect_golden("qemu_served.args", text_of(qemu_command(spec, make_host("tcg"))));
  expect_golden("qemu_disk_server.args",
                text_of(disk_server_command("/var/lib/brume/disk-servers/vol-0fedcba9876543210", 40, 41, 0x60000002)));
}

TEST(QemuArguments, KvmThatOnlyAGroupMayOpen) {
  auto host = make_host("kvm");
  host.kvm_group = 108;
  const auto command = qemu_command(make_spec(), host);
  EXPECT_EQ(command.program, "setpriv");
  EXPECT_FALSE(command.user);
  const std::vector<std::string> head(command.arguments.begin(), command.arguments.begin() + 6);
  EXPECT_EQ(head, (std::vector<std::string>{"--reuid=1610612737", "--regid=1610612737", "--groups=108", "--no-new-privs",
                                            "--bounding-set=-all", "qemu-system-x86_64"}));
}

TEST(QemuArguments, CommasInPathsDoNotBecomeOptions) {
  auto host = make_host("tcg");
  host.folder = "/home,with,commas/i-1";
  host.user.reset();
  const auto command = qemu_command(make_spec(), host);
  const auto text = text_of(command);
  EXPECT_NE(text.find("logfile=/home,,with,,commas/i-1/console"), std::string::npos) << text;
}

TEST(QemuArguments, AGuestThatIsToldOfDiskTrouble) {
  auto host = make_host("tcg");
  const auto patient = text_of(qemu_command(make_spec(), host));
  host.pause_on_disk_trouble = false;
  const auto told = text_of(qemu_command(make_spec(), host));
  EXPECT_NE(patient.find(R"("werror":"stop","rerror":"stop")"), std::string::npos);
  EXPECT_NE(told.find(R"("werror":"report","rerror":"report")"), std::string::npos);
}

TEST(QemuArguments, Throttles) {
  const auto* disk = "/machine/peripheral/vol1/virtio-backend";
  EXPECT_EQ(disk_throttle(disk, {.requests = 100, .request_bytes = 262144, .bytes = 1 << 20}),
            R"({"id":"/machine/peripheral/vol1/virtio-backend","bps":1048576,"bps_rd":0,"bps_wr":0,"iops":100,"iops_rd":0,"iops_wr":0,)"
            R"("iops_size":262144})");
  EXPECT_EQ(
      disk_throttle(
          disk,
          {.requests = 300, .burst_requests = 3000, .burst_seconds = 1800, .bytes = 40, .burst_bytes = 250, .burst_bytes_seconds = 9}),
      R"({"id":"/machine/peripheral/vol1/virtio-backend","bps":40,"bps_rd":0,"bps_wr":0,"iops":300,"iops_rd":0,"iops_wr":0,)"
      R"("bps_max":250,"bps_max_length":9,"iops_max":3000,"iops_max_length":1800})");
  // No limits: all that was set is taken back, and nothing is left that QEMU would refuse without one.
  EXPECT_EQ(disk_throttle(disk, {.burst_requests = 3000, .request_bytes = 262144}),
            R"({"id":"/machine/peripheral/vol1/virtio-backend","bps":0,"bps_rd":0,"bps_wr":0,"iops":0,"iops_rd":0,"iops_wr":0})");
}

TEST(QemuArguments, ThrottlesOfAServerNameEveryLimit) {
  EXPECT_EQ(server_limits({}),
            R"({"bps-total":0,"bps-total-max":0,"bps-total-max-length":1,"iops-total":0,"iops-total-max":0,"iops-total-max-length":1,)"
            R"("iops-size":0})");
  EXPECT_EQ(server_limits({.requests = 100, .burst_requests = 3000, .burst_seconds = 1800, .request_bytes = 262144, .bytes = 1 << 20}),
            R"({"bps-total":1048576,"bps-total-max":0,"bps-total-max-length":1,"iops-total":100,"iops-total-max":3000,)"
            R"("iops-total-max-length":1800,"iops-size":262144})");
}

TEST(QemuArguments, RefusesWhatMakesNoMachine) {
  const auto refused = [](auto change) {
    auto spec = make_spec();
    change(spec);
    const auto valid = validate(spec);
    return !valid && valid.error().kind == ErrorKind::invalid;
  };
  EXPECT_TRUE(validate(make_spec()));
  EXPECT_TRUE(refused([](auto& s) { s.id = "../i-1"; }));
  EXPECT_TRUE(refused([](auto& s) { s.id = ""; }));
  EXPECT_TRUE(refused([](auto& s) { s.uuid = "ec2,file=/etc/passwd"; }));
  EXPECT_TRUE(refused([](auto& s) { s.memory_mib = -1; }));
  EXPECT_TRUE(refused([](auto& s) { s.processors = 0; }));
  EXPECT_TRUE(refused([](auto& s) { s.disks[0].format = "vmdk"; }));
  EXPECT_TRUE(refused([](auto& s) { s.disks[0].file = "relative"; }));
  EXPECT_TRUE(refused([](auto& s) { s.disks[0].volume_id = "vol 1"; }));
  EXPECT_TRUE(refused([](auto& s) { s.nics[0].mac = "02:00:00:00:00:0g"; }));
  EXPECT_TRUE(refused([](auto& s) { s.nics[0].tap = Descriptor(); }));
  EXPECT_TRUE(refused([](auto& s) { s.kernel = "vmlinuz"; }));
}

}  // namespace
}  // namespace brume::compute
