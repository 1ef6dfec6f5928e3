// Controllers that start and stop over engines which live longer and go on telling what happens, while clients change the state: a part
// that is told of something after its end, or two threads at one thing without a lock, is found by the sanitizer that this is built with.
// Prints what was done; a sanitizer that complains ends it with a status of its own.
#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.hpp"
#include "control/controller.hpp"
#include "engines/compute/event_loop.hpp"

namespace brume {
namespace {

constexpr int rounds = 25;
constexpr int instances = 12;
constexpr auto round_time = milliseconds(60);

std::string name(const char* kind, int number) { return std::string(kind) + "-" + std::to_string(number); }

// What RunInstances puts.
void launch(state::Store& store, int number) {
  store.transact([&](state::Transaction& transaction) {
    if (transaction.find<state::Instance>("a", name("i", number)) != nullptr) return;
    state::NetworkInterface interface;
    interface.account = "a", interface.id = name("eni", number), interface.vpc_id = "vpc-1", interface.subnet_id = "subnet-1";
    interface.mac = "02:00:00:00:00:01", interface.private_ip = "172.31.0." + std::to_string(4 + number);
    interface.instance_id = name("i", number);
    state::Volume volume;
    volume.account = "a", volume.id = name("vol", number), volume.size_gib = 1, volume.instance_id = name("i", number);
    volume.delete_on_termination = true;
    state::Dependents dependents;
    dependents.account = "a", dependents.instance_id = name("i", number), dependents.machine = true;
    dependents.taps = {interface.id}, dependents.volumes = {volume.id};
    state::Instance instance;
    instance.account = "a", instance.id = name("i", number), instance.vpc_id = "vpc-1", instance.interface_ids = {interface.id};
    instance.volume_ids = {volume.id};
    instance.terminate_on_shutdown = number % 2 == 0;
    instance.state_since = transaction.now();
    transaction.put(interface), transaction.put(volume), transaction.put(dependents), transaction.put(instance);
  });
}

// What StopInstances, StartInstances, RebootInstances and TerminateInstances do, whichever is possible just now.
void change(state::Store& store, int number, unsigned what) {
  using state::InstanceState;
  store.transact([&](state::Transaction& transaction) {
    const auto* found = transaction.find<state::Instance>("a", name("i", number));
    if (found == nullptr) return;
    auto instance = *found;
    const auto become = [&](InstanceState state) { instance.state = state; };
    const auto now = instance.state;
    if (now == InstanceState::running && what % 4 == 0)
      ++instance.reboots_asked;
    else if (now == InstanceState::running)
      become(what % 4 == 1 ? InstanceState::shutting_down : InstanceState::stopping);
    else if (now == InstanceState::stopped)
      become(InstanceState::pending);
    else
      return;
    if (instance.state == InstanceState::pending) {
      auto dependents = *transaction.find<state::Dependents>(instance.key());
      dependents.machine = true, dependents.taps = {name("eni", number)};
      transaction.put(dependents);
    }
    instance.state_since = transaction.now();
    transaction.put(instance);
  });
}

control::ControllerSettings make_settings() {
  control::ControllerSettings settings;
  settings.threads = 4;
  settings.patience = {milliseconds(20), milliseconds(20), milliseconds(20), milliseconds(50)};
  settings.resume_pause = milliseconds(5);
  settings.disk_counters_pause = milliseconds(5);
  return settings;
}

// Clients and guests while a controller lives, and on while none does.
void controllers() {
  SystemClock clock;
  SeededRandom random(1);
  const auto store = *state::Store::open(state::make_memory_log(), clock, random);
  const auto hypervisor = compute::make_simulated_hypervisor(clock);
  const auto block = block::make_simulated_block_engine();
  const auto network = network::make_simulated_network_engine("198.18.0.0/24");
  store->transact([](state::Transaction& transaction) {
    state::Vpc vpc;
    vpc.account = "a", vpc.id = "vpc-1", vpc.cidr = "172.31.0.0/16";
    state::Subnet subnet;
    subnet.account = "a", subnet.id = "subnet-1", subnet.vpc_id = "vpc-1", subnet.cidr = "172.31.0.0/20";
    transaction.put(vpc), transaction.put(subnet);
  });
  std::atomic<bool> over{false};
  std::atomic<int> changes{0}, shutdowns{0};
  std::vector<std::thread> threads;
  for (unsigned client = 0; client < 2; ++client)
    threads.emplace_back([&, client] {
      for (unsigned turn = client; !over; turn += 7) {
        const int number = static_cast<int>(turn % instances);
        launch(*store, number);
        change(*store, number, turn / instances);
        ++changes;
        std::this_thread::yield();
      }
    });
  // Guests that turn themselves off, now and then all at once: what is reported when the controller goes.
  threads.emplace_back([&] {
    for (unsigned turn = 0; !over; ++turn) {
      shutdowns += hypervisor->press_power_button(name("i", static_cast<int>(turn % instances))).has_value();
      compute::MachineSpec spec;
      spec.id = name("j", static_cast<int>(turn % instances));
      const auto id = spec.id;
      if (hypervisor->start(std::move(spec))) shutdowns += hypervisor->press_power_button(id).has_value();
      std::this_thread::sleep_for(milliseconds(1));
    }
  });
  for (int round = 0; round < rounds; ++round) {
    control::Controller controller(*store, {*hypervisor, *block, *network}, clock, make_settings(),
                                   {[](const std::string&, Descriptor) {}, [](const std::string&) {}});
    if (auto started = controller.start(); !started) std::abort();
    std::this_thread::sleep_for(round_time);
    if (round % 3 == 0) {
      controller.stop();
      controller.power_off(milliseconds(20));
    }
  }
  over = true;
  for (auto& thread : threads) thread.join();
  std::printf("%d controllers, %d changes of clients, %d shutdowns of guests\n", rounds, changes.load(), shutdowns.load());
}

// Keeps its descriptor open until the last one lets go of it: the loop may still be at it when its watch is removed.
struct Counting final : public compute::Watcher {
  void ready() override {
    std::uint64_t count = 0;
    if (::read(bell.get(), &count, sizeof count) > 0) ++told;
  }
  const Descriptor bell{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::atomic<int> told{0};
};

// The hypervisor's event loop: watches that come and go, and tasks, while it is stopped.
void event_loops() {
  int told = 0;
  for (int round = 0; round < rounds; ++round) {
    const auto loop = *compute::EventLoop::make();
    std::atomic<bool> over{false};
    std::atomic<int> ticks{0}, tasks{0};
    loop->every(milliseconds(1), [&] { ++ticks; });
    std::vector<std::thread> threads;
    for (int n = 0; n < 2; ++n)
      threads.emplace_back([&] {
        while (!over) {
          const auto counting = std::make_shared<Counting>();
          const auto watch = loop->add(counting->bell.get(), counting);
          const std::uint64_t one = 1;
          if (::write(counting->bell.get(), &one, sizeof one) < 0) std::abort();
          loop->post([&tasks, counting] { ++tasks; });
          std::this_thread::yield();
          loop->remove(counting->bell.get(), *watch);
        }
      });
    std::this_thread::sleep_for(milliseconds(20));
    if (round % 2 == 0) loop->stop();
    over = true;
    for (auto& thread : threads) thread.join();
    loop->stop();
    told += ticks + tasks;
  }
  std::printf("%d event loops, %d ticks and tasks\n", rounds, told);
}

}  // namespace
}  // namespace brume

int main() {
  brume::log::set_level(static_cast<brume::log::Level>(100));  // what is refused in all this is refused rightly
  brume::controllers();
  brume::event_loops();
  return 0;
}
