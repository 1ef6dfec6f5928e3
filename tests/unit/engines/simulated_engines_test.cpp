#include <gtest/gtest.h>

#include <future>

#include "engines/block/block_engine.hpp"
#include "engines/compute/hypervisor.hpp"

namespace brume {
namespace {

class FixedClock final : public Clock {
 public:
  Time now() const override { return Time(milliseconds(1'700'000'000'000)); }
};

compute::MachineSpec make_spec() {
  compute::MachineSpec spec;
  spec.id = "i-1";
  return spec;
}

TEST(SimulatedHypervisor, StartsStopsAndForgets) {
  const FixedClock clock;
  const auto hypervisor = compute::make_simulated_hypervisor(clock);
  EXPECT_EQ(hypervisor->describe().accelerator, "simulated");
  EXPECT_EQ(hypervisor->state("i-1").error().kind, ErrorKind::not_found);
  ASSERT_TRUE(hypervisor->start(make_spec()));
  EXPECT_EQ(hypervisor->start(make_spec()).error().kind, ErrorKind::exists);
  EXPECT_EQ(*hypervisor->state("i-1"), compute::MachineState::running);
  EXPECT_TRUE(hypervisor->reset("i-1"));
  EXPECT_NE(hypervisor->console("i-1", 65536)->text.find("not a real machine"), std::string::npos);
  EXPECT_EQ(hypervisor->console("i-1", 5)->text.size(), 5U);
  EXPECT_EQ(hypervisor->forget("i-1").error().kind, ErrorKind::refused);
  EXPECT_TRUE(hypervisor->kill("i-1"));
  EXPECT_TRUE(hypervisor->kill("i-1"));
  EXPECT_EQ(*hypervisor->state("i-1"), compute::MachineState::ended);
  EXPECT_TRUE(hypervisor->start(make_spec()));
  EXPECT_TRUE(hypervisor->kill("i-1"));
  EXPECT_TRUE(hypervisor->forget("i-1"));
  EXPECT_FALSE(hypervisor->state("i-1"));
}

TEST(SimulatedHypervisor, ThePowerButtonIsObeyedOnAnotherThread) {
  const FixedClock clock;
  const auto hypervisor = compute::make_simulated_hypervisor(clock);
  std::promise<compute::MachineReport> promise;
  std::thread::id thread;
  hypervisor->on_report([&](compute::MachineReport report) {
    thread = std::this_thread::get_id();
    promise.set_value(std::move(report));
  });
  ASSERT_TRUE(hypervisor->start(make_spec()));
  ASSERT_TRUE(hypervisor->press_power_button("i-1"));
  auto report = promise.get_future();
  ASSERT_EQ(report.wait_for(seconds(5)), std::future_status::ready);
  const auto got = report.get();
  EXPECT_EQ(got.id, "i-1");
  EXPECT_EQ(got.event, compute::MachineEvent::guest_shutdown);
  EXPECT_TRUE(thread != std::this_thread::get_id());
  EXPECT_EQ(hypervisor->press_power_button("i-1").error().kind, ErrorKind::not_found);
}

TEST(SimulatedHypervisor, KnowsWhatIsAttached) {
  const FixedClock clock;
  const auto hypervisor = compute::make_simulated_hypervisor(clock);
  const compute::Disk disk{"vol-1", "/x", "qcow2"};
  EXPECT_EQ(hypervisor->attach_disk("i-1", disk).error().kind, ErrorKind::not_found);
  ASSERT_TRUE(hypervisor->start(make_spec()));
  EXPECT_TRUE(hypervisor->attach_disk("i-1", disk));
  EXPECT_EQ(hypervisor->attach_disk("i-1", disk).error().kind, ErrorKind::exists);
  EXPECT_TRUE(hypervisor->detach_disk("i-1", "vol-1", false, seconds(1)));
  EXPECT_TRUE(hypervisor->attach_disk("i-1", disk));
}

TEST(SimulatedBlockEngine, KeepsTheContractsRules) {
  const auto blocks = block::make_simulated_block_engine();
  int told = 0;
  EXPECT_EQ(*blocks->import_snapshot("snap-1", "/nowhere", [&](int percent) { told = percent; }), 1ULL << 30);
  EXPECT_EQ(told, 100);
  EXPECT_EQ(blocks->import_snapshot("snap-1", "/nowhere", {}).error().kind, ErrorKind::exists);
  ASSERT_TRUE(blocks->clone("vol-1", "snap-1", 8ULL << 30, ""));
  ASSERT_TRUE(blocks->clone("vol-2", "snap-1", 0, ""));
  EXPECT_EQ(blocks->usage("vol-1")->virtual_bytes, 8ULL << 30);
  EXPECT_EQ(blocks->usage("vol-2")->virtual_bytes, 1ULL << 30);
  EXPECT_EQ(blocks->clone("vol-3", "snap-9", 0, "").error().kind, ErrorKind::not_found);
  EXPECT_FALSE(*blocks->prepare_snapshot("vol-1", 1, "")) << "nothing for a machine to switch to";
  ASSERT_TRUE(blocks->keep_snapshot("snap-2", "vol-1"));
  ASSERT_TRUE(blocks->copy_snapshot("snap-3", "snap-2"));
  EXPECT_EQ(blocks->copy_snapshot("snap-3", "snap-2").error().kind, ErrorKind::exists);
  EXPECT_TRUE(blocks->remove_snapshot("snap-2"));
  ASSERT_TRUE(blocks->clone("vol-4", "snap-3", 0, ""));
  EXPECT_EQ(blocks->usage("vol-4")->virtual_bytes, 8ULL << 30);
  ASSERT_TRUE(blocks->resize("vol-4", 9ULL << 30, ""));
  EXPECT_EQ(blocks->usage("vol-4")->virtual_bytes, 9ULL << 30);
  EXPECT_EQ(blocks->holdings()->size(), 5U);
  EXPECT_TRUE(blocks->remove_volume("vol-4"));
  EXPECT_TRUE(blocks->remove_snapshot("snap-3"));
  EXPECT_TRUE(blocks->remove_volume("vol-1"));
  EXPECT_TRUE(blocks->remove_volume("vol-1"));
  const auto swept = blocks->sweep([](const std::string& id) { return id == "snap-1"; }, Time{}, milliseconds(0));
  EXPECT_EQ(swept->removed, std::vector<std::string>{"vol-2"});
  EXPECT_TRUE(blocks->remove_snapshot("snap-1"));
  EXPECT_TRUE(blocks->import_boot_file("aki-1", "/boot/x"));
  EXPECT_EQ(*blocks->boot_file("aki-1"), "/boot/x");
  EXPECT_TRUE(blocks->remove_boot_file("aki-1"));
  EXPECT_FALSE(blocks->boot_file("aki-1"));
}

}  // namespace
}  // namespace brume
