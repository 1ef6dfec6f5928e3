// What mass changes cost the writer of the state, with all that follows a commit: 10,000 and 100,000 snapshots, and a tenth as many
// instances. The instances are terminated in calls of 1,000 ids, the snapshots deleted by calls of one id (EC2 has no others), 16 at a
// time. Engines pretend, the log is in memory: processor time of the writer's thread alone. Prints one JSON line.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <semaphore>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "control/controller.hpp"
#include "domain/instance_changes.hpp"
#include "state/store.hpp"
#include "state/walk_count.hpp"

namespace {

using namespace brume;

constexpr int ids_a_call = 1'000;
constexpr int calls_at_once = 16;
const std::string account = "123456789012";

double processor_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

std::string id_of(const char* prefix, int number) { return prefix + std::to_string(10'000'000 + number); }

struct Cost {
  double seconds = 0;
  double longest = 0;  // of one commit with its followers
  std::uint64_t walked = 0;
};

class World {
 public:
  World(int snapshots, int instances) : snapshots_(snapshots), instances_(instances) {
    for (int begin = 0; begin < snapshots; begin += ids_a_call)
      store_->transact([&](state::Transaction& transaction) {
        for (int i = begin; i < begin + ids_a_call; ++i) put(transaction, i);
      });
    log::set_level(log::Level::error);
    settings_.volume_key = std::string(32, 'k');
    controller_ =
        std::make_unique<control::Controller>(*store_, control::Engines{*hypervisor_, *block_, *network_}, clock_, settings_,
                                              control::MetadataDoor{[](const std::string&, Descriptor) {}, [](const std::string&) {}});
    if (auto started = controller_->start(); !started) std::fprintf(stderr, "writer_bench: %s\n", started.error().message.c_str());
    // Watchers are called one after another: this one is behind the controller's.
    store_->watch([this](const state::Commit& commit) {
      const auto now = processor_seconds();
      const auto walked = state::entries_walked();
      // The reconcilers' own commits, which come between, are not counted.
      if (std::any_of(commit.changes.begin(), commit.changes.end(), is_asked)) {
        cost_.seconds += now - begun_;
        cost_.longest = std::max(cost_.longest, now - begun_);
        cost_.walked += walked - walked_;
      }
      begun_ = processor_seconds();
      walked_ = walked;
    });
  }

  Cost terminate() {
    begin();
    for (int first = 0; first < instances_; first += ids_a_call)
      store_->transact([&](state::Transaction& transaction) {
        std::vector<std::string> ids;
        for (int i = first; i < first + ids_a_call; ++i)
          if (const auto* instance = transaction.find<state::Instance>(account, id_of("i-", i));
              instance->state == state::InstanceState::stopped)
            ids.push_back(instance->id);
        domain::change_instances(transaction, account, state::InstanceVerb::terminate, std::move(ids));
      });
    return end();
  }
  Cost remove() {
    begin();
    std::counting_semaphore<> places(calls_at_once);
    for (int i = 0; i < snapshots_; ++i) {
      places.acquire();
      store_->submit(
          [i](state::Transaction& transaction) {
            auto snapshot = *transaction.find<state::Snapshot>(account, id_of("snap-", i));
            snapshot.state = state::SnapshotState::deleting;
            transaction.put(std::move(snapshot));
          },
          [&](std::exception_ptr) { places.release(); });
    }
    for (int i = 0; i < calls_at_once; ++i) places.acquire();
    return end();
  }

 private:
  // Of what is measured, and not of what the reconcilers make of it.
  static bool is_asked(const state::Change& change) {
    const auto* instance = change.now<state::Instance>();
    const auto* snapshot = change.now<state::Snapshot>();
    return change.kind == state::Kind::instance_change || (instance != nullptr && instance->state == state::InstanceState::shutting_down) ||
           (snapshot != nullptr && snapshot->state == state::SnapshotState::deleting);
  }
  void begin() {
    store_->transact([&](state::Transaction&) {
      cost_ = {};
      begun_ = processor_seconds();
      walked_ = state::entries_walked();
    });
  }
  Cost end() {
    Cost cost;
    store_->transact([&](state::Transaction&) { cost = cost_; });
    return cost;
  }
  void put(state::Transaction& transaction, int i) const {
    state::Snapshot snapshot;
    snapshot.account = account, snapshot.id = id_of("snap-", i), snapshot.volume_id = id_of("vol-", i), snapshot.size_gib = 8;
    transaction.put(std::move(snapshot));
    if (i >= instances_) return;
    state::Volume volume;
    volume.account = account, volume.id = id_of("vol-", i), volume.state = state::VolumeState::in_use, volume.instance_id = id_of("i-", i);
    transaction.put(std::move(volume));
    state::Instance instance;
    instance.account = account, instance.id = id_of("i-", i), instance.volume_ids = {id_of("vol-", i)};
    instance.state = state::InstanceState::stopped;
    transaction.put(std::move(instance));
  }

  const int snapshots_;
  const int instances_;
  SystemClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<state::Store> store_ = *state::Store::open(state::make_memory_log(), clock_, random_);
  std::unique_ptr<compute::Hypervisor> hypervisor_ = compute::make_simulated_hypervisor(clock_);
  std::unique_ptr<block::BlockEngine> block_ = block::make_simulated_block_engine();
  std::unique_ptr<network::NetworkEngine> network_ = network::make_simulated_network_engine("198.18.0.0/15");
  control::ControllerSettings settings_;
  std::unique_ptr<control::Controller> controller_;
  // Only the writer's thread touches these.
  double begun_ = 0;
  std::uint64_t walked_ = 0;
  Cost cost_;
};

void print(const char* name, const Cost& few, const Cost& many, bool last) {
  std::printf("\"%s\": {\"seconds\": %.4f, \"growth\": %.2f, \"walked\": %llu, \"walked_growth\": %.2f, \"longest_ms\": %.2f}%s", name,
              many.seconds, many.seconds / few.seconds, static_cast<unsigned long long>(many.walked),
              static_cast<double>(many.walked) / std::max(1.0, static_cast<double>(few.walked)), many.longest * 1000, last ? "" : ", ");
}

}  // namespace

int main() {
  World few(10'000, 1'000);
  const auto few_terminated = few.terminate();
  const auto few_removed = few.remove();
  World many(100'000, 10'000);
  const auto terminated = many.terminate();
  const auto removed = many.remove();
  std::printf("{");
  print("terminate", few_terminated, terminated, false);
  print("delete", few_removed, removed, true);
  std::printf("}\n");
}
