// What follows a commit on the writer's thread, and what each piece of work looks up, does not grow with what an account has: walks over
// records are counted, not timed.
#include "control/direct_snapshots.hpp"
#include "control/images.hpp"
#include "control/root_volumes.hpp"
#include "control/snapshots.hpp"
#include "control/volumes.hpp"
#include "control_world.hpp"
#include "state/walk_count.hpp"

namespace brume::control {
namespace {

std::string id_of(const char* prefix, int number) { return prefix + std::to_string(1'000'000 + number); }

// The reconcilers over an account of that many snapshots, volumes and images, half of them of another account.
class CrowdedWorld {
 public:
  explicit CrowdedWorld(int many) : many_(many) {
    constexpr int at_once = 5000;
    for (int begin = 0; begin < many; begin += at_once)
      store_->transact([&](state::Transaction& transaction) {
        for (int i = begin; i < std::min(many, begin + at_once); ++i) put(transaction, i);
      });
  }

  state::Snapshot snapshot(int number) const { return *store_->world()->find<state::Snapshot>(account(number), id_of("snap-", number)); }

  // How many entries the followers of a change of these records walk over: they ran in watchers, on the writer's thread.
  template <class Change>
  std::uint64_t walked_by_followers(Change&& change) {
    std::uint64_t walked = 0;
    const auto watcher = store_->watch([&](const state::Commit& commit) {
      const auto before = state::entries_walked();
      snapshots_.follow(commit);
      volumes_.follow(commit);
      images_.follow(commit);
      roots_.follow(commit);
      walked = state::entries_walked() - before;
    });
    store_->transact(change);
    store_->unwatch(watcher);
    return walked;
  }
  template <class Work>
  static std::uint64_t walked_by(Work&& work) {
    const auto before = state::entries_walked();
    work();
    return state::entries_walked() - before;
  }

  int many() const { return many_; }
  SnapshotReconciler& snapshots() { return snapshots_; }
  VolumeReconciler& volumes() { return volumes_; }
  state::Store& store() { return *store_; }
  const std::set<std::string>& woken() const { return woken_; }

  static std::string account(int number) { return number % 2 == 0 ? "a" : "b"; }

 private:
  void put(state::Transaction& transaction, int i) const {
    state::Snapshot snapshot;
    snapshot.account = account(i), snapshot.id = id_of("snap-", i), snapshot.volume_id = id_of("vol-", i), snapshot.size_gib = 1;
    transaction.put(snapshot);
    state::Volume volume;
    volume.account = account(i), volume.id = id_of("vol-", i), volume.state = state::VolumeState::available, volume.size_gib = 1;
    transaction.put(volume);
    state::Image image;
    image.account = account(i), image.id = id_of("ami-", i), image.state = state::ImageState::available;
    transaction.put(image);
    state::RootReplacement task;
    task.account = account(i), task.id = id_of("replacevol-", i), task.state = state::RootReplacementState::succeeded,
    task.instance_id = id_of("i-", i);
    transaction.put(task);
  }

  const int many_;
  SystemClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<state::Store> store_ = *state::Store::open(state::make_memory_log(), clock_, random_);
  FakeHypervisor hypervisor_;
  std::unique_ptr<block::BlockEngine> block_ = block::make_simulated_block_engine();
  std::unique_ptr<network::NetworkEngine> network_ = network::make_simulated_network_engine("198.18.0.0/24");
  Engines engines_{hypervisor_, *block_, *network_};
  std::set<std::string> woken_;
  SnapshotReconciler::Wake wake_ = [this](const std::string& key, milliseconds) { woken_.insert(key); };
  VolumeFiles files_{*store_, engines_, std::string(32, 'k'), {}};
  DiskMeter meter_{DiskMeter::Parts{{}, {}, {}, clock_, ""}};
  DirectSnapshots direct_{*store_, engines_, files_};
  SnapshotReconciler snapshots_{*store_, engines_, files_, direct_, wake_};
  VolumeReconciler volumes_{*store_, engines_, files_, meter_, wake_};
  ImageReconciler images_{*store_, engines_, snapshots_, [this](const std::string& key) { woken_.insert(key); }};
  RootVolumes roots_{*store_, wake_};
};

// The same with ten times as much, once each.
void expect_no_growth(const std::function<std::uint64_t(CrowdedWorld&)>& walked) {
  CrowdedWorld few(300);
  CrowdedWorld many(3'000);
  const auto before = walked(few);
  EXPECT_LE(walked(many), std::max<std::uint64_t>(11 * before, 11));
}

// As many as there are, of each ten the first: what is done to them grows tenfold, and the walks with it.
void expect_growth_of_what_is_done(const std::function<void(state::Transaction&, int)>& change) {
  std::uint64_t before = 0;
  for (const int many : {300, 3'000}) {
    CrowdedWorld world(many);
    const auto walked = world.walked_by_followers([&](state::Transaction& transaction) {
      for (int i = 0; i < many; i += 10) change(transaction, i);
    });
    if (before == 0)
      before = std::max<std::uint64_t>(walked, 100);
    else
      EXPECT_LE(walked, 11 * before);
  }
}

TEST(Walks, SnapshotsThatAreTaken) {
  expect_growth_of_what_is_done([](state::Transaction& transaction, int i) {
    auto snapshot = *transaction.find<state::Snapshot>(CrowdedWorld::account(i), id_of("snap-", i));
    snapshot.description = "changed";  // any change of one that is not pending looks for copies that wait
    transaction.put(snapshot);
  });
}

TEST(Walks, SnapshotsAndVolumesThatGo) {
  expect_growth_of_what_is_done([](state::Transaction& transaction, int i) {
    auto snapshot = *transaction.find<state::Snapshot>(CrowdedWorld::account(i), id_of("snap-", i));
    snapshot.state = state::SnapshotState::deleting;
    transaction.put(snapshot);
    auto volume = *transaction.find<state::Volume>(CrowdedWorld::account(i), id_of("vol-", i));
    volume.state = state::VolumeState::deleting;
    transaction.put(volume);
  });
}

TEST(Walks, InstancesThatMoveOn) {
  expect_growth_of_what_is_done([](state::Transaction& transaction, int i) {
    state::Instance instance;
    instance.account = CrowdedWorld::account(i), instance.id = id_of("i-", i);
    transaction.put(instance);
  });
  expect_no_growth([](CrowdedWorld& world) {
    state::Instance instance;
    instance.account = "a", instance.id = "i-1";
    world.store().transact([&](state::Transaction& transaction) { transaction.put(instance); });
    instance.state = InstanceState::running;
    return world.walked_by_followers([&](state::Transaction& transaction) { transaction.put(instance); });
  });
}

TEST(Walks, OneSnapshotThatGoes) {
  expect_no_growth([](CrowdedWorld& world) {
    const auto last = world.many() - 1;
    auto snapshot = world.snapshot(last);
    snapshot.state = state::SnapshotState::deleting;
    world.store().transact([&](state::Transaction& transaction) { transaction.put(snapshot); });
    const auto walked = CrowdedWorld::walked_by([&] { world.snapshots().reconcile(snapshot.key()); });
    EXPECT_EQ(world.store().world()->find<state::Snapshot>(snapshot.key()), nullptr);
    return walked;
  });
}

TEST(Walks, OneVolumeThatGoes) {
  expect_no_growth([](CrowdedWorld& world) {
    const auto key = state::owned_key("b", id_of("vol-", world.many() - 1));
    world.store().transact([&](state::Transaction& transaction) {
      auto volume = *transaction.find<state::Volume>(key);
      volume.state = state::VolumeState::deleting;
      transaction.put(volume);
    });
    const auto walked = CrowdedWorld::walked_by([&] { world.volumes().reconcile(key); });
    EXPECT_EQ(world.store().world()->find<state::Volume>(key), nullptr);
    return walked;
  });
}

TEST(Walks, AServerThatDied) {
  expect_no_growth([](CrowdedWorld& world) {
    const auto id = id_of("vol-", world.many() - 1);
    const auto walked = CrowdedWorld::walked_by([&] { world.volumes().on_report({id, compute::MachineEvent::died, "killed"}); });
    EXPECT_EQ(world.woken().count("volume/b/" + id), 1U);
    return walked;
  });
}

// The walks that are left find what they are for.
TEST(Walks, ACopyIsWokenByItsSource) {
  CrowdedWorld world(10);
  auto source = world.snapshot(2);
  source.state = state::SnapshotState::pending;
  state::Snapshot copy;
  copy.account = "b", copy.id = "snap-copy", copy.copy_of = source.id, copy.state = state::SnapshotState::pending;
  world.store().transact([&](state::Transaction& transaction) {
    transaction.erase<state::Snapshot>(source.key());
    transaction.put(source);
    transaction.put(copy);
  });
  source.state = state::SnapshotState::completed;
  world.walked_by_followers([&](state::Transaction& transaction) { transaction.put(source); });
  EXPECT_EQ(world.woken().count("snapshot/b/snap-copy"), 1U);
  // As long as it is copied its source stays.
  source.state = state::SnapshotState::deleting;
  world.store().transact([&](state::Transaction& transaction) { transaction.put(source); });
  world.snapshots().reconcile(source.key());
  EXPECT_NE(world.store().world()->find<state::Snapshot>(source.key()), nullptr);
}

TEST(Walks, AnImageIsWokenByItsSnapshotAndItsInstance) {
  CrowdedWorld world(10);
  auto snapshot = world.snapshot(2);
  snapshot.state = state::SnapshotState::pending;
  state::Image image;
  image.account = "a", image.id = "ami-made", image.state = state::ImageState::pending;
  state::BlockDevice device;
  device.snapshot_id = snapshot.id;
  image.block_devices = {device};
  state::Instance instance;
  instance.account = "a", instance.id = "i-1";
  auto waiting = image;
  waiting.id = "ami-waits", waiting.reboot_instance = instance.id;
  world.store().transact([&](state::Transaction& transaction) {
    transaction.erase<state::Snapshot>(snapshot.key());
    transaction.put(snapshot);
    transaction.put(image);
    transaction.put(waiting);
    transaction.put(instance);
  });
  snapshot.state = state::SnapshotState::completed;
  world.walked_by_followers([&](state::Transaction& transaction) { transaction.put(snapshot); });
  EXPECT_EQ(world.woken().count("image/a/ami-made"), 1U);
  instance.state = InstanceState::running;
  world.walked_by_followers([&](state::Transaction& transaction) { transaction.put(instance); });
  EXPECT_EQ(world.woken().count("image/a/ami-waits"), 1U);
}

}  // namespace
}  // namespace brume::control
