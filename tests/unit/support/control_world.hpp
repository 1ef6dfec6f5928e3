// The controller over engines that do what a test tells them, for the tests of the reconcilers.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <set>
#include <thread>

#include "base/receiver.hpp"
#include "control/controller.hpp"
#include "control/volume_files.hpp"
#include "control/work_queue.hpp"

namespace brume::control {

using state::InstanceState;

// Remembers what runs; fails and stays deaf as told.
class FakeHypervisor : public compute::Hypervisor {
 public:
  Description describe() const override { return {"fake", "for tests"}; }
  void on_report(std::function<void(compute::MachineReport)> receiver) override { receiver_.set(std::move(receiver)); }
  Result<std::vector<std::string>> recover() override { return std::vector<std::string>(running.begin(), running.end()); }
  Result<void> start(compute::MachineSpec spec) override {
    const std::lock_guard lock(mutex);
    if (!start_failure.empty()) return fail(ErrorKind::broken, start_failure);
    running.insert(spec.id);
    ++starts;
    started.notify_all();
    last_spec_disks = spec.disks.size();
    plans[spec.id] = spec.cpu;
    for (const auto& disk : spec.disks) limits[disk.volume_id].push_back(disk.limits);
    return {};
  }
  Result<void> press_power_button(const std::string& id) override {
    if (!deaf) end(id, compute::MachineEvent::guest_shutdown);
    return {};
  }
  Result<void> reset(const std::string&) override {
    ++resets;
    return {};
  }
  Result<void> kill(const std::string& id) override {
    const std::lock_guard lock(mutex);
    kills += running.erase(id) > 0;
    return {};
  }
  Result<compute::MachineState> state(const std::string& id) override {
    const std::lock_guard lock(mutex);
    return paused.count(id) > 0 ? compute::MachineState::paused : compute::MachineState::running;
  }
  Result<void> resume(const std::string& id) override {
    const std::lock_guard lock(mutex);
    paused.erase(id);
    return {};
  }
  void change_cpu(const std::string& id, const compute::CpuPlan& plan) override {
    const std::lock_guard lock(mutex);
    plans[id] = plan;
    started.notify_all();
  }
  Result<void> attach_disk(const std::string&, const compute::Disk&) override { return {}; }
  Result<void> detach_disk(const std::string&, const std::string&, bool, milliseconds) override { return {}; }
  Result<milliseconds> switch_disks(const std::string&, const std::vector<compute::Disk>&) override { return milliseconds(0); }
  Result<std::int64_t> disk_generation(const std::string&, const std::string&) override {
    return fail(ErrorKind::not_found, "not running");
  }
  Result<void> fold_disk(const std::string&, const std::string&, const std::string&, const std::string&, std::uint64_t) override {
    return {};
  }
  Result<void> limit_disk(const std::string&, const std::string& volume_id, const compute::DiskLimits& to) override {
    const std::lock_guard lock(mutex);
    limits[volume_id].push_back(to);
    started.notify_all();
    return {};
  }
  Result<void> resize_disk(const std::string&, const std::string&, std::uint64_t) override { return {}; }
  Result<void> attach_nic(const std::string&, compute::Nic) override { return {}; }
  Result<void> detach_nic(const std::string&, const std::string&, bool, milliseconds) override { return {}; }
  Result<Console> console(const std::string&, size_t) override { return fail(ErrorKind::not_found, "no console"); }
  Result<Picture> screenshot(const std::string&) override { return Picture{1, 1, "abc"}; }
  Result<void> press_key(const std::string&) override {
    ++keys;
    return {};
  }
  Result<void> forget(const std::string&) override { return {}; }
  Result<void> forget_run(const std::string&) override { return {}; }
  unsigned user_of(const std::string&) const override { return 1; }

  void report(const std::string& id, compute::MachineEvent event, const std::string& detail) {
    {
      const std::lock_guard lock(mutex);
      if (event == compute::MachineEvent::io_error) paused.insert(id);
    }
    receiver_.tell({id, event, detail});
  }
  void end(const std::string& id, compute::MachineEvent event, const std::string& detail = {}) {
    {
      const std::lock_guard lock(mutex);
      running.erase(id);
    }
    receiver_.tell({id, event, detail});
  }

  std::mutex mutex;
  std::condition_variable started;
  std::set<std::string> running, paused;
  std::map<std::string, compute::CpuPlan> plans;
  std::map<std::string, std::vector<compute::DiskLimits>> limits;  // that a volume was held to, one after another
  std::string start_failure;
  std::atomic<bool> deaf{false};
  std::atomic<int> starts{0}, kills{0}, resets{0}, keys{0};
  std::atomic<size_t> last_spec_disks{0};

 private:
  Receiver<compute::MachineReport> receiver_;
};

class ControlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    store_ = *state::Store::open(state::make_memory_log(), clock_, random_);
    block_ = block::make_simulated_block_engine();
    network_ = make_network();
    store_->watch([this](const state::Commit&) {
      const std::lock_guard lock(mutex_);
      changed_.notify_all();
    });
    build();
    // After the controller has looked: what no record speaks of is removed at its start.
    ASSERT_TRUE(block_->import_snapshot("snap-1", "file", {}));
  }
  void TearDown() override { controller_.reset(); }
  virtual std::unique_ptr<network::NetworkEngine> make_network() { return network::make_simulated_network_engine("198.18.0.0/24"); }
  virtual compute::Hypervisor& machines() { return hypervisor_; }

  virtual ControllerSettings make_settings() {
    ControllerSettings settings;
    settings.threads = threads_;
    settings.records_are_proven = records_are_proven_;
    settings.volume_key = volume_key_;
    settings.patience = {milliseconds(200), milliseconds(100), milliseconds(200), std::chrono::minutes(60)};
    settings.cpu_plan = [limit = limit_](const state::Instance&) {
      compute::CpuPlan plan;
      plan.most = limit;
      return plan;
    };
    settings.disk_limits = [](const state::Volume& volume) { return compute::DiskLimits{.requests = volume.iops}; };
    return settings;
  }
  void build() {
    controller_ = std::make_unique<Controller>(*store_, Engines{machines(), *block_, *network_}, clock_, make_settings(),
                                               MetadataDoor{[](const std::string&, Descriptor) {}, [](const std::string&) {}});
    ASSERT_TRUE(controller_->start());
  }

  // What RunInstances puts: an instance with one interface and one volume, and all it depends on.
  void launch(bool terminate_on_shutdown = false, const std::vector<state::BlockDevice>& stores = {}) {
    store_->transact([&](state::Transaction& transaction) {
      state::Vpc vpc;
      vpc.account = "a", vpc.id = "vpc-1", vpc.cidr = "172.31.0.0/16";
      transaction.put(vpc);
      state::Subnet subnet;
      subnet.account = "a", subnet.id = "subnet-1", subnet.vpc_id = "vpc-1", subnet.cidr = "172.31.0.0/20";
      transaction.put(subnet);
      state::NetworkInterface interface;
      interface.account = "a", interface.id = "eni-1", interface.vpc_id = "vpc-1", interface.subnet_id = "subnet-1";
      interface.mac = "02:00:00:00:00:01", interface.private_ip = "172.31.0.4", interface.public_ip = "198.18.0.1",
      interface.instance_id = "i-1";
      transaction.put(interface);
      state::Volume volume;
      volume.account = "a", volume.id = "vol-1", volume.size_gib = 1, volume.snapshot_id = "snap-1", volume.instance_id = "i-1";
      volume.delete_on_termination = true;
      transaction.put(volume);
      state::Dependents dependents;
      dependents.account = "a", dependents.instance_id = "i-1", dependents.machine = true, dependents.taps = {"eni-1"},
      dependents.volumes = {"vol-1"};
      transaction.put(dependents);
      state::Instance instance;
      instance.account = "a", instance.id = "i-1", instance.vpc_id = "vpc-1", instance.interface_ids = {"eni-1"},
      instance.volume_ids = {"vol-1"};
      instance.terminate_on_shutdown = terminate_on_shutdown;
      instance.instance_stores = stores;
      instance.state_since = transaction.now();
      transaction.put(instance);
    });
  }

  void ask(InstanceState state) {
    store_->transact([&](state::Transaction& transaction) {
      auto instance = *transaction.find<state::Instance>("a/i-1");
      instance.state = state;
      transaction.put(instance);
      if (state != InstanceState::pending) return;
      // As StartInstances does: the tap is wanted again.
      auto dependents = *transaction.find<state::Dependents>("a/i-1");
      dependents.machine = true, dependents.taps = {"eni-1"};
      transaction.put(dependents);
    });
  }

  template <class Condition>
  ::testing::AssertionResult reaches(Condition&& condition) {
    std::unique_lock lock(mutex_);
    const bool done = changed_.wait_for(lock, seconds(10), [&] { return condition(*store_->world()); });
    return done ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << "not within 10 s";
  }
  ::testing::AssertionResult reaches(InstanceState state) {
    return reaches([&](const state::World& world) {
      const auto* instance = world.find<state::Instance>("a/i-1");
      return instance != nullptr && instance->state == state;
    });
  }
  state::Instance instance() const { return *store_->world()->find<state::Instance>("a/i-1"); }

  SystemClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<state::Store> store_;
  FakeHypervisor hypervisor_;
  std::unique_ptr<block::BlockEngine> block_;
  std::unique_ptr<network::NetworkEngine> network_;
  std::unique_ptr<Controller> controller_;
  std::mutex mutex_;
  std::condition_variable changed_;
  double limit_ = 0.5;  // of every machine, in processors
  unsigned threads_ = 2;
  bool records_are_proven_ = true;
  std::string volume_key_;
};

}  // namespace brume::control
