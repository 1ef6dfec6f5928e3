// The real hypervisor: QEMU under emulation with a guest of one boot sector.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <thread>

#include "base/files.hpp"
#include "base/process.hpp"
#include "engines/compute/hypervisor.hpp"
#include "engines/compute/machine_folder.hpp"
#include "engines/compute/qmp_client.hpp"

extern "C" const char brume_test_guest[];
extern "C" const char brume_test_guest_end[];

namespace brume::compute {
namespace {

constexpr const char* id = "i-0123456789abcdef0";
constexpr const char* greeting = "brume test guest";

bool is_root() { return ::geteuid() == 0; }

size_t open_descriptors() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

// A tap in a network namespace that ends with it.
Descriptor make_tap() {
  Descriptor tap;
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) != 0) return;
    tap = Descriptor(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    ifreq request{};
    std::strcpy(request.ifr_name, "test");
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    if (tap && ::ioctl(tap.get(), TUNSETIFF, &request) != 0) tap.close();
  }).join();
  return tap;
}

class HypervisorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/brume-machines-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    ::chmod(name, 0711);
    top_ = name;
    // Longer than the path of a socket may be.
    home_ = top_ + "/" + std::string(60, 'x') + "/" + std::string(60, 'y');
    ASSERT_TRUE(make_folders(home_, 0711));
    make();
  }
  void TearDown() override {
    if (hypervisor_) {
      for (const auto& machine : started_) {
        EXPECT_TRUE(hypervisor_->kill(machine));
        EXPECT_TRUE(hypervisor_->forget(machine));
      }
    }
    hypervisor_.reset();
    // Whatever failed: no QEMU of ours stays.
    for (const auto process : processes_)
      if (process.alive(std::nullopt)) {
        ADD_FAILURE() << "process " << process.number << " was left";
        ::kill(process.number, SIGKILL);
      }
    std::filesystem::remove_all(top_);
  }

  void make() {
    QemuConfiguration configuration;
    configuration.folder = home_ + "/machines";
    configuration.accelerator = "tcg";
    auto made = make_qemu_hypervisor(configuration, clock_);
    ASSERT_TRUE(made) << made.error().message;
    hypervisor_ = std::move(*made);
    hypervisor_->on_report([this](MachineReport report) {
      const std::lock_guard lock(mutex_);
      reports_.push_back(std::move(report));
      changed_.notify_all();
    });
  }
  // Another daemon in place of this one; machines go on.
  void restart() {
    hypervisor_.reset();
    {
      const std::lock_guard lock(mutex_);
      reports_.clear();
    }
    make();
  }

  std::string make_disk(const std::string& path, std::uint64_t bytes = 1 << 20) {
    std::string sector(brume_test_guest, static_cast<size_t>(brume_test_guest_end - brume_test_guest));
    EXPECT_EQ(sector.size(), 512U);
    EXPECT_TRUE(write_file(path, sector));
    std::filesystem::resize_file(path, bytes);
    if (is_root()) {
      EXPECT_EQ(::chown(path.c_str(), hypervisor_->user_of(id), hypervisor_->user_of(id)), 0);
    }
    return path;
  }
  Disk root_disk() { return {"vol-0123456789abcdef0", make_disk(home_ + "/disk"), "raw"}; }
  MachineSpec make_spec() {
    MachineSpec spec;
    spec.id = id;
    spec.uuid = "ec2e1916-9099-7caf-fd21-012345abcdef";
    spec.product = "t2.micro";
    spec.memory_mib = 32;
    spec.disks.push_back(root_disk());
    return spec;
  }
  Result<void> start(MachineSpec spec) {
    const auto which = spec.id;
    auto result = hypervisor_->start(std::move(spec));
    if (result) {
      started_.push_back(which);
      const auto process = MachineFolder(home_ + "/machines/" + which).process();
      EXPECT_TRUE(process);
      if (process) processes_.push_back(*process);
    }
    return result;
  }
  void start_and_greet() {
    const auto result = start(make_spec());
    ASSERT_TRUE(result) << result.error().message;
    ASSERT_TRUE(wait_for_text(greeting));
  }
  std::string console() {
    const auto text = hypervisor_->console(id, 64 << 10);
    return text ? text->text : "";
  }
  static bool wait_until(const std::function<bool()>& condition, milliseconds limit = seconds(20)) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(milliseconds(20));
    }
    return true;
  }
  bool wait_for_text(std::string_view text, size_t times = 1) {
    return wait_until([&] {
      const auto all = console();
      size_t count = 0;
      for (size_t at = all.find(text); at != std::string::npos; at = all.find(text, at + 1)) ++count;
      return count >= times;
    });
  }
  // What somebody at the serial console types.
  void type(std::string_view text) {
    const auto serial = connect_unix(home_ + "/machines/" + id + "/serial");
    ASSERT_TRUE(serial) << serial.error().message;
    ASSERT_EQ(::send(serial->get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    std::this_thread::sleep_for(milliseconds(200));
  }
  std::optional<MachineReport> wait_for_report(MachineEvent event, milliseconds limit = seconds(20)) {
    std::optional<MachineReport> found;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, limit, [&] {
      for (const auto& report : reports_)
        if (report.event == event) found = report;
      return found.has_value();
    });
    return found;
  }
  size_t report_count() {
    const std::lock_guard lock(mutex_);
    return reports_.size();
  }
  bool gone() const { return !processes_.back().alive(std::nullopt); }
  static std::string status_line(pid_t process, const std::string& key) {
    const auto text = read_file("/proc/" + std::to_string(process) + "/status").value_or("");
    const auto at = text.find("\n" + key + ":");
    return at == std::string::npos ? "" : text.substr(at + key.size() + 2, text.find('\n', at + 1) - at - key.size() - 2);
  }

  SystemClock clock_;
  std::string top_;
  std::string home_;
  std::unique_ptr<Hypervisor> hypervisor_;
  std::vector<std::string> started_;
  std::vector<ProcessName> processes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<MachineReport> reports_;
};

TEST_F(HypervisorTest, StartsAMachineThatSpeaks) {
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_TRUE(start(make_spec()));
  const auto took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun);
  RecordProperty("start_ms", static_cast<int>(took.count()));
  EXPECT_EQ(*hypervisor_->state(id), MachineState::running);
  ASSERT_TRUE(wait_for_text(greeting));
  EXPECT_GT(hypervisor_->console(id, 100)->written, clock_.now() - seconds(60));
  EXPECT_EQ(hypervisor_->console(id, 4)->text.size(), 4U);
  EXPECT_EQ(start(make_spec()).error().kind, ErrorKind::exists);
  EXPECT_EQ(hypervisor_->forget(id).error().kind, ErrorKind::refused);
  EXPECT_EQ(report_count(), 0U);
}

TEST_F(HypervisorTest, RunsWithoutRights) {
  if (!is_root()) GTEST_SKIP() << "needs root";
  start_and_greet();
  const auto process = processes_.back().number;
  const auto user = std::to_string(hypervisor_->user_of(id));
  EXPECT_NE(status_line(process, "Uid").find(user), std::string::npos);
  EXPECT_NE(status_line(process, "Gid").find(user), std::string::npos);
  EXPECT_EQ(status_line(process, "CapEff"), "\t0000000000000000");
  EXPECT_EQ(status_line(process, "Seccomp"), "\t2");
  EXPECT_NE(hypervisor_->user_of("i-1"), hypervisor_->user_of("i-2"));
  // A child of nobody here: its death is not ours to collect, our death is not its.
  EXPECT_NE(status_line(process, "PPid"), "\t" + std::to_string(::getpid()));
}

TEST_F(HypervisorTest, ResetsFromOutsideAndFromInside) {
  start_and_greet();
  ASSERT_TRUE(hypervisor_->reset(id));
  ASSERT_TRUE(wait_for_text(greeting, 2));
  EXPECT_EQ(report_count(), 0U);
  // Later than the firmware's own resets may come.
  std::this_thread::sleep_for(milliseconds(2200));
  type("r");
  const auto report = wait_for_report(MachineEvent::guest_reset);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->id, id);
  EXPECT_TRUE(wait_for_text(greeting, 3));
  EXPECT_EQ(report_count(), 1U);
  EXPECT_EQ(*hypervisor_->state(id), MachineState::running);
}

TEST_F(HypervisorTest, ThePowerButtonEndsIt) {
  start_and_greet();
  ASSERT_TRUE(hypervisor_->press_power_button(id));
  const auto report = wait_for_report(MachineEvent::guest_shutdown);
  ASSERT_TRUE(report);
  EXPECT_TRUE(wait_until([&] { return gone(); }));
  EXPECT_EQ(*hypervisor_->state(id), MachineState::ended);
  EXPECT_EQ(hypervisor_->reset(id).error().kind, ErrorKind::not_found);
  EXPECT_NE(console().find(greeting), std::string::npos);
  // And once more, with a fresh console.
  ASSERT_TRUE(start(make_spec()));
  ASSERT_TRUE(wait_for_text(greeting));
  EXPECT_EQ(console().find(greeting), console().rfind(greeting));
}

TEST_F(HypervisorTest, KillsWithoutAReportAndLeavesNothing) {
  const auto descriptors = open_descriptors();
  start_and_greet();
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_TRUE(hypervisor_->kill(id));
  RecordProperty("kill_ms", static_cast<int>(std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun).count()));
  EXPECT_TRUE(gone());
  EXPECT_TRUE(hypervisor_->kill(id));
  EXPECT_TRUE(hypervisor_->kill("i-never"));
  EXPECT_EQ(*hypervisor_->state(id), MachineState::ended);
  EXPECT_NE(console().find(greeting), std::string::npos);
  EXPECT_TRUE(hypervisor_->forget(id));
  EXPECT_TRUE(hypervisor_->forget(id));
  EXPECT_EQ(hypervisor_->state(id).error().kind, ErrorKind::not_found);
  EXPECT_EQ(hypervisor_->console(id, 10).error().kind, ErrorKind::not_found);
  EXPECT_TRUE(std::filesystem::is_empty(home_ + "/machines"));
  EXPECT_EQ(report_count(), 0U);
  EXPECT_EQ(open_descriptors(), descriptors);
}

TEST_F(HypervisorTest, CreditsOutliveARunThatIsForgotten) {
  auto spec = make_spec();
  spec.cpu.kind = CpuPlan::Kind::credits;
  spec.cpu.base = 0.1, spec.cpu.allotment = 60, spec.cpu.kept_stopped = 3600;
  ASSERT_TRUE(start(std::move(spec)));
  EXPECT_EQ(hypervisor_->forget_run(id).error().kind, ErrorKind::refused);
  EXPECT_TRUE(hypervisor_->kill(id));
  EXPECT_TRUE(hypervisor_->forget_run(id));
  const auto credits = home_ + "/machines/" + id + ".cpu";
  EXPECT_FALSE(std::filesystem::exists(home_ + "/machines/" + id));
  EXPECT_TRUE(std::filesystem::exists(credits));
  EXPECT_TRUE(hypervisor_->forget(id));
  EXPECT_FALSE(std::filesystem::exists(credits));
}

TEST_F(HypervisorTest, TellsADeath) {
  start_and_greet();
  ASSERT_EQ(::kill(processes_.back().number, SIGKILL), 0);
  const auto report = wait_for_report(MachineEvent::died);
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->detail.empty());
  EXPECT_EQ(*hypervisor_->state(id), MachineState::ended);
  EXPECT_EQ(report_count(), 1U);
}

TEST_F(HypervisorTest, ADeathByASignalFromOutsideIsNoShutdown) {
  start_and_greet();
  ASSERT_EQ(::kill(processes_.back().number, SIGTERM), 0);
  const auto report = wait_for_report(MachineEvent::died);
  ASSERT_TRUE(report);
  EXPECT_NE(report->detail.find("signal 15"), std::string::npos) << report->detail;
}

TEST_F(HypervisorTest, OutlivesTheDaemon) {
  start_and_greet();
  restart();
  const auto found = hypervisor_->recover();
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, std::vector<std::string>{id});
  EXPECT_EQ(*hypervisor_->state(id), MachineState::running);
  EXPECT_NE(console().find(greeting), std::string::npos);
  EXPECT_EQ(start(make_spec()).error().kind, ErrorKind::exists);
  ASSERT_TRUE(hypervisor_->reset(id));
  ASSERT_TRUE(wait_for_text(greeting, 2));
  ASSERT_TRUE(hypervisor_->press_power_button(id));
  EXPECT_TRUE(wait_for_report(MachineEvent::guest_shutdown));
}

TEST_F(HypervisorTest, TellsWhatHappenedWhileTheDaemonWasAway) {
  start_and_greet();
  hypervisor_.reset();
  type("p");
  make();
  auto found = hypervisor_->recover();
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->empty());
  EXPECT_TRUE(wait_for_report(MachineEvent::guest_shutdown));
  EXPECT_TRUE(wait_until([&] { return gone(); }));
  EXPECT_EQ(*hypervisor_->state(id), MachineState::ended);
  // Said again to the next, until it is forgotten.
  restart();
  ASSERT_TRUE(hypervisor_->recover());
  EXPECT_TRUE(wait_for_report(MachineEvent::guest_shutdown));

  ASSERT_TRUE(start(make_spec()));
  hypervisor_.reset();
  ASSERT_EQ(::kill(processes_.back().number, SIGKILL), 0);
  ASSERT_TRUE(wait_until([&] { return gone(); }));
  restart();
  found = hypervisor_->recover();
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->empty());
  const auto report = wait_for_report(MachineEvent::died);
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->detail.empty());
}

TEST_F(HypervisorTest, RemovesAMachineWhoseStartWasCutOff) {
  start_and_greet();
  hypervisor_.reset();
  // As if the daemon had died before it wrote down which process it started.
  std::filesystem::remove(home_ + "/machines/" + id + "/process");
  make();
  const auto found = hypervisor_->recover();
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->empty());
  EXPECT_TRUE(wait_until([&] { return gone(); }));
  EXPECT_EQ(hypervisor_->state(id).error().kind, ErrorKind::not_found);
}

TEST_F(HypervisorTest, AnotherProcessOfThatNumberIsLeftAlone) {
  start_and_greet();
  ASSERT_TRUE(hypervisor_->kill(id));
  // Its number now belongs to somebody else: this test.
  ASSERT_TRUE(write_file(home_ + "/machines/" + id + "/process", std::to_string(::getpid()) + " 1\n"));
  restart();
  EXPECT_TRUE(hypervisor_->recover()->empty());
  EXPECT_TRUE(hypervisor_->kill(id));
}

TEST_F(HypervisorTest, AFailedStartSaysWhyAndLeavesNothing) {
  const auto descriptors = open_descriptors();
  auto spec = make_spec();
  spec.disks[0].file = home_ + "/absent";
  auto result = start(std::move(spec));
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("absent"), std::string::npos) << result.error().message;
  EXPECT_NE(result.error().message.find("No such file"), std::string::npos) << result.error().message;

  spec = make_spec();
  spec.disks[0].format = "qcow2";
  result = start(std::move(spec));
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("qcow2"), std::string::npos) << result.error().message;

  spec = make_spec();
  spec.kernel = home_ + "/vmlinuz";
  ASSERT_FALSE(start(std::move(spec)));

  spec = make_spec();
  spec.memory_mib = 1LL << 40;
  ASSERT_FALSE(start(std::move(spec)));

  if (is_root()) {
    spec = make_spec();
    ASSERT_EQ(::chown(spec.disks[0].file.c_str(), 0, 0), 0);
    result = start(std::move(spec));
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().message.find("Permission denied"), std::string::npos) << result.error().message;
  }
  // The number of its user may be kept, in a file, for the next try.
  for (const auto& entry : std::filesystem::directory_iterator(home_ + "/machines")) EXPECT_FALSE(entry.is_directory()) << entry.path();
  EXPECT_EQ(open_descriptors(), descriptors);
  EXPECT_EQ(report_count(), 0U);
}

TEST_F(HypervisorTest, AFolderThatTheMachinesCannotEnterIsToldAtOnce) {
  if (!is_root()) GTEST_SKIP() << "needs root";
  ::chmod(top_.c_str(), 0700);
  QemuConfiguration configuration;
  configuration.folder = home_ + "/machines";
  configuration.accelerator = "tcg";
  const auto made = make_qemu_hypervisor(configuration, clock_);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find(top_), std::string::npos) << made.error().message;
}

TEST_F(HypervisorTest, PlugsADiskInAndOut) {
  start_and_greet();
  const Disk disk{"vol-0aaaaaaaaaaaaaaaa", make_disk(home_ + "/second"), "raw"};
  auto attached = hypervisor_->attach_disk(id, disk);
  ASSERT_TRUE(attached) << attached.error().message;
  EXPECT_EQ(hypervisor_->attach_disk(id, disk).error().kind, ErrorKind::exists);
  auto detached = hypervisor_->detach_disk(id, disk.volume_id, false, seconds(10));
  ASSERT_TRUE(detached) << detached.error().message;
  EXPECT_TRUE(hypervisor_->detach_disk(id, disk.volume_id, false, seconds(10)));
  attached = hypervisor_->attach_disk(id, disk);
  ASSERT_TRUE(attached) << attached.error().message;
  EXPECT_FALSE(hypervisor_->attach_disk(id, {"vol-0bbbbbbbbbbbbbbbb", home_ + "/absent", "raw"}));
  EXPECT_EQ(hypervisor_->attach_disk(id, {"vol-0bbbbbbbbbbbbbbbb", "x", "raw"}).error().kind, ErrorKind::invalid);
}

TEST_F(HypervisorTest, TakesADiskFromAGuestThatDoesNotLetGo) {
  start_and_greet();
  const Disk disk{"vol-0aaaaaaaaaaaaaaaa", make_disk(home_ + "/second"), "raw"};
  ASSERT_TRUE(hypervisor_->attach_disk(id, disk));
  type("n");
  EXPECT_EQ(hypervisor_->detach_disk(id, disk.volume_id, false, milliseconds(500)).error().kind, ErrorKind::timed_out);
  const auto forced = hypervisor_->detach_disk(id, disk.volume_id, true, milliseconds(500));
  ASSERT_TRUE(forced) << forced.error().message;
  // The lock is gone with it: somebody else can have the disk.
  Command check;
  check.program = "qemu-io";
  check.arguments = {"-f", "raw", "-c", "write 0 512", disk.file};
  const auto free = run_checked(check);
  EXPECT_TRUE(free) << free.error().message;
  EXPECT_EQ(*hypervisor_->state(id), MachineState::running);
}

TEST_F(HypervisorTest, PlugsACardInAndOut) {
  if (!is_root()) GTEST_SKIP() << "needs root";
  auto spec = make_spec();
  spec.nics.push_back({"eni-0123456789abcdef0", "02:ab:cd:00:00:01", make_tap()});
  if (!spec.nics[0].tap) GTEST_SKIP() << "no taps here";
  auto result = start(std::move(spec));
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_TRUE(wait_for_text(greeting));
  result = hypervisor_->attach_nic(id, {"eni-0fedcba9876543210", "02:ab:cd:00:00:02", make_tap()});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(hypervisor_->attach_nic(id, {"eni-0fedcba9876543210", "02:ab:cd:00:00:02", make_tap()}).error().kind, ErrorKind::exists);
  result = hypervisor_->detach_nic(id, "eni-0fedcba9876543210", false, seconds(10));
  ASSERT_TRUE(result) << result.error().message;
  result = hypervisor_->attach_nic(id, {"eni-0fedcba9876543210", "02:ab:cd:00:00:02", make_tap()});
  ASSERT_TRUE(result) << result.error().message;
  type("n");
  result = hypervisor_->detach_nic(id, "eni-0fedcba9876543210", true, milliseconds(500));
  EXPECT_TRUE(result) << result.error().message;
}

TEST_F(HypervisorTest, AFloodedConsoleStaysSmall) {
  start_and_greet();
  type("f");
  const auto path = home_ + "/machines/" + id + "/console";
  // More has been written than is kept.
  std::uint64_t written = 0;
  std::uint64_t last = 0;
  ASSERT_TRUE(wait_until(
      [&] {
        const auto size = std::filesystem::file_size(path);
        EXPECT_LT(size, 64U << 20);
        if (size < last) written += last;
        last = size;
        return written > 0;
      },
      seconds(60)));
  const auto text = hypervisor_->console(id, 64 << 10);
  ASSERT_TRUE(text);
  EXPECT_EQ(text->text, std::string(64 << 10, 'f'));
}

// A disk that hangs delays whoever reads the console, not the monitors of the machines.
TEST_F(HypervisorTest, AConsoleThatCannotBeReadDelaysNothingElse) {
  start_and_greet();
  const auto path = home_ + "/machines/" + id + "/console";
  // Opening it waits for a writer.
  ASSERT_EQ(::unlink(path.c_str()), 0);
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  std::this_thread::sleep_for(milliseconds(2500));  // the consoles are read every second; nothing tells when
  EXPECT_TRUE(hypervisor_->pause(id));
  EXPECT_EQ(*hypervisor_->state(id), MachineState::paused);
  EXPECT_TRUE(hypervisor_->resume(id));
  EXPECT_TRUE(wait_for_report(MachineEvent::resumed));
  // From here on opening it does not wait, and then it is away.
  const Descriptor writer(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::unlink(path.c_str()), 0);
  EXPECT_TRUE(hypervisor_->kill(id));
  EXPECT_TRUE(hypervisor_->forget(id));
}

TEST_F(HypervisorTest, AFullDiskHaltsTheGuestUntilThereIsRoom) {
  if (!is_root()) GTEST_SKIP() << "needs root";
  const auto small = home_ + "/small";
  ASSERT_TRUE(make_folders(small, 0711));
  if (::mount("brume-test", small.c_str(), "tmpfs", 0, "size=2m,mode=0711") != 0) GTEST_SKIP() << "no mounts here";
  auto spec = make_spec();
  spec.disks[0].file = make_disk(small + "/disk", 16 << 20);
  const auto result = start(std::move(spec));
  EXPECT_TRUE(result) << result.error().message;
  EXPECT_TRUE(wait_for_text(greeting));
  type("w");
  const auto report = wait_for_report(MachineEvent::io_error);
  EXPECT_TRUE(report);
  EXPECT_NE(report.value_or(MachineReport{}).detail.find("no room"), std::string::npos);
  EXPECT_EQ(*hypervisor_->state(id), MachineState::paused);
  EXPECT_EQ(report_count(), 1U);
  // Known to the next daemon too.
  restart();
  EXPECT_EQ(*hypervisor_->recover(), std::vector<std::string>{id});
  EXPECT_TRUE(wait_for_report(MachineEvent::io_error));
  EXPECT_EQ(*hypervisor_->state(id), MachineState::paused);
  EXPECT_EQ(::mount("brume-test", small.c_str(), "tmpfs", MS_REMOUNT, "size=32m"), 0);
  EXPECT_TRUE(hypervisor_->resume(id));
  EXPECT_TRUE(wait_for_report(MachineEvent::resumed));
  // Its writes go on to the disk's end.
  EXPECT_TRUE(wait_for_text("W"));
  EXPECT_EQ(*hypervisor_->state(id), MachineState::running);
  EXPECT_TRUE(hypervisor_->kill(id));
  EXPECT_EQ(::umount(small.c_str()), 0);
}

TEST_F(HypervisorTest, EightAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  std::vector<MachineSpec> specs;
  for (int i = 0; i < 8; ++i) {
    auto spec = make_spec();
    spec.id = "i-" + std::to_string(i);
    spec.disks[0].file = make_disk(home_ + "/disk" + std::to_string(i));
    if (is_root()) {
      ASSERT_EQ(::chown(spec.disks[0].file.c_str(), hypervisor_->user_of(spec.id), hypervisor_->user_of(spec.id)), 0);
    }
    started_.push_back(spec.id);
    specs.push_back(std::move(spec));
  }
  for (auto& spec : specs)
    threads.emplace_back([&] {
      const auto which = spec.id;
      if (hypervisor_->start(std::move(spec))) ++good;
      if (const auto process = MachineFolder(home_ + "/machines/" + which).process()) {
        const std::lock_guard lock(mutex_);
        processes_.push_back(*process);
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 8);
  EXPECT_EQ(processes_.size(), 8U);
  restart();
  EXPECT_EQ(hypervisor_->recover()->size(), 8U);
}

TEST(KvmProbe, HasAVerdictWithinItsTimeAndKeepsIt) {
  char name[] = "/tmp/brume-probe-XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  const auto begun = std::chrono::steady_clock::now();
  const auto first = probe_kvm(name);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, seconds(8));
  EXPECT_FALSE(first.reason.empty());
  RecordProperty("kvm", (first.works ? "works: " : "fails: ") + first.reason);
  const auto again = std::chrono::steady_clock::now();
  const auto second = probe_kvm(name);
  EXPECT_LT(std::chrono::steady_clock::now() - again, milliseconds(200));
  EXPECT_EQ(first.works, second.works);
  EXPECT_EQ(first.reason, second.reason);
  std::filesystem::remove_all(name);
}

}  // namespace
}  // namespace brume::compute
