// The daemon, the host or a machine dies before each step of what is done with volumes and snapshots: whatever was answered holds, no file
// is nobody's, no chain is broken (issue "Block storage", Bad input and trouble).
#include "crash_world.hpp"

namespace brume::control {
namespace {

constexpr std::uint64_t mib = 1ULL << 20;

class ControlCrash : public CrashWorld {
 protected:
  bool is_volume(const state::World& world, const std::string& id, state::VolumeState state) const {
    const auto* volume = world.find<state::Volume>("a/" + id);
    return volume != nullptr && volume->state == state;
  }
  // Not pending; also when there is none.
  static bool is_settled(const state::World& world, const std::string& id) {
    const auto* snapshot = world.find<state::Snapshot>("a/" + id);
    return snapshot == nullptr || snapshot->state != state::SnapshotState::pending;
  }
  // An instance that has written to its root and to vol-2.
  void running_with_data() {
    launch_and_wait();
    make_volume("vol-2");
    attach("vol-2");
    guest_writes("vol-1", 'A', 2 * mib);
    guest_writes("vol-2", 'B', 0);
  }
  void expect_completed(const std::string& id) { EXPECT_EQ(find<state::Snapshot>(id)->state, state::SnapshotState::completed) << id; }
  // What the machine has written since reaches the volume, and not a snapshot.
  void expect_goes_on(const std::string& volume_id, const std::string& snapshot_id) {
    if (machines_->runs("i-1"))
      guest_writes(volume_id, 'Z', 8 * mib);
    else
      write(volume_id, 'Z', 8 * mib);
    EXPECT_EQ(letter_of(volume_id, 8 * mib), 'Z');
    EXPECT_EQ(letter_of(snapshot_id, 8 * mib), '\0');
  }
};

// Its key is made and kept first: the file is worth nothing without it.
TEST_F(ControlCrash, OfCreatingAnEncryptedVolume) {
  Scenario scenario;
  scenario.before = [] {};
  scenario.ask = [&] { change<state::Volume>("vol-2", [&](state::Volume& volume) { volume.size_gib = 1, volume.encrypted = true; }); };
  scenario.done = [&](const state::World& world) { return !is_volume(world, "vol-2", state::VolumeState::creating); };
  scenario.after = [&](bool answered) {
    if (answered) {
      EXPECT_EQ(find<state::Volume>("vol-2")->state, state::VolumeState::available);
    }
    if (!find<state::Volume>("vol-2")) return;
    write("vol-2", 'W', mib);
    EXPECT_EQ(letter_of("vol-2", mib), 'W');
  };
  at_each_step(scenario, {Death::daemon}, 2);
}

TEST_F(ControlCrash, OfCreatingAVolumeOfASnapshot) {
  Scenario scenario;
  scenario.before = [] {};
  scenario.ask = [&] { change<state::Volume>("vol-2", [](state::Volume& volume) { volume.size_gib = 2, volume.snapshot_id = "snap-1"; }); };
  scenario.done = [&](const state::World& world) { return !is_volume(world, "vol-2", state::VolumeState::creating); };
  scenario.after = [&](bool answered) {
    EXPECT_EQ(letter_of("snap-1", 0), 'I');
    if (!answered) return;
    EXPECT_EQ(find<state::Volume>("vol-2")->state, state::VolumeState::available);
    EXPECT_EQ(block_->usage("vol-2")->virtual_bytes, 2ULL << 30);
    EXPECT_EQ(letter_of("vol-2", 0), 'I');
  };
  at_each_step(scenario, {Death::daemon});
}

// The snapshot is deleted in the same breath: what was asked for first is made all the same.
TEST_F(ControlCrash, OfDeletingTheSnapshotThatAVolumeIsBeingMadeOf) {
  Scenario scenario;
  scenario.before = [] {};
  scenario.ask = [&] {
    change<state::Volume>("vol-2", [](state::Volume& volume) { volume.size_gib = 1, volume.snapshot_id = "snap-1"; });
    change<state::Snapshot>("snap-1", [](state::Snapshot& snapshot) { snapshot.state = state::SnapshotState::deleting; });
  };
  scenario.done = [&](const state::World& world) {
    const auto* snapshot = world.find<state::Snapshot>("a/snap-1");
    return !is_volume(world, "vol-2", state::VolumeState::creating) &&
           (snapshot == nullptr || snapshot->state != state::SnapshotState::deleting);
  };
  scenario.after = [&](bool answered) {
    if (!answered && !find<state::Volume>("vol-2")) return;
    EXPECT_EQ(find<state::Volume>("vol-2")->state, state::VolumeState::available);
    EXPECT_EQ(letter_of("vol-2", 0), 'I');
    EXPECT_EQ(find<state::Snapshot>("snap-1").has_value(), !answered);
  };
  at_each_step(scenario, {Death::daemon});
}

TEST_F(ControlCrash, OfALaunch) {
  Scenario scenario;
  scenario.before = [] {};
  scenario.ask = [&] { launch(); };
  scenario.done = [](const state::World& world) {
    const auto* instance = world.find<state::Instance>("a/i-1");
    return instance == nullptr || instance->state != InstanceState::pending;
  };
  scenario.after = [&](bool answered) {
    if (!answered) return;
    // A machine that died during its launch is a launch that ended.
    if (find<state::Instance>("i-1")->state != InstanceState::running) return;
    EXPECT_EQ(find<state::Volume>("vol-1")->attachment_state, state::AttachmentState::attached);
    guest_writes("vol-1", 'A', 2 * mib);
    EXPECT_EQ(letter_of("vol-1", 2 * mib), 'A');
    EXPECT_EQ(letter_of("vol-1", 0), 'I');
  };
  at_each_step(scenario, {Death::daemon, Death::host});
}

TEST_F(ControlCrash, OfTakingASnapshotOfARunningMachinesVolume) {
  Scenario scenario;
  scenario.before = [&] { running_with_data(); };
  scenario.ask = [&] { ask_for_snapshot("snap-2", "vol-2"); };
  scenario.done = [](const state::World& world) { return is_settled(world, "snap-2"); };
  scenario.after = [&](bool answered) {
    EXPECT_EQ(letter_of("vol-2", 0), 'B');
    if (!answered) return;
    expect_completed("snap-2");
    EXPECT_EQ(letter_of("snap-2", 0), 'B');
    expect_goes_on("vol-2", "snap-2");
    // A volume made of it stands on the same files.
    make_volume("vol-3", "snap-2");
    EXPECT_EQ(letter_of("vol-3", 0), 'B');
  };
  at_each_step(scenario);
}

TEST_F(ControlCrash, OfTakingASnapshotOfAFreeVolume) {
  Scenario scenario;
  scenario.before = [&] {
    make_volume("vol-2");
    write("vol-2", 'B', 0);
  };
  scenario.ask = [&] { ask_for_snapshot("snap-2", "vol-2"); };
  scenario.done = [](const state::World& world) { return is_settled(world, "snap-2"); };
  scenario.after = [&](bool answered) {
    EXPECT_EQ(letter_of("vol-2", 0), 'B');
    if (!answered) return;
    expect_completed("snap-2");
    EXPECT_EQ(letter_of("snap-2", 0), 'B');
    make_volume("vol-3", "snap-2");
    EXPECT_EQ(letter_of("vol-3", 0), 'B');
  };
  at_each_step(scenario, {Death::daemon});
}

TEST_F(ControlCrash, OfTakingSnapshotsOfAllVolumesAtOneInstant) {
  Scenario scenario;
  scenario.before = [&] { running_with_data(); };
  scenario.ask = [&] {
    store_->transact([&](state::Transaction& transaction) {
      for (const auto* number : {"1", "2"}) {
        state::Snapshot snapshot;
        snapshot.account = "a", snapshot.id = std::string("snap-1") + number, snapshot.volume_id = std::string("vol-") + number;
        snapshot.size_gib = 1, snapshot.state = state::SnapshotState::pending, snapshot.set_id = "set-1";
        transaction.put(std::move(snapshot));
      }
    });
  };
  scenario.done = [](const state::World& world) { return is_settled(world, "snap-11") && is_settled(world, "snap-12"); };
  scenario.after = [&](bool answered) {
    EXPECT_EQ(letter_of("vol-1", 2 * mib), 'A');
    EXPECT_EQ(letter_of("vol-2", 0), 'B');
    if (!answered) return;
    for (const auto* id : {"snap-11", "snap-12"}) expect_completed(id);
    EXPECT_EQ(letter_of("snap-11", 2 * mib), 'A');
    EXPECT_EQ(letter_of("snap-11", 0), 'I');
    EXPECT_EQ(letter_of("snap-12", 0), 'B');
    expect_goes_on("vol-1", "snap-11");
    expect_goes_on("vol-2", "snap-12");
  };
  at_each_step(scenario);
}

TEST_F(ControlCrash, OfCopyingASnapshot) {
  Scenario scenario;
  scenario.before = [] {};
  scenario.ask = [&] {
    change<state::Snapshot>(
        "snap-2", [](state::Snapshot& copy) { copy.copy_of = "snap-1", copy.state = state::SnapshotState::pending, copy.size_gib = 1; });
  };
  scenario.done = [](const state::World& world) { return is_settled(world, "snap-2"); };
  scenario.after = [&](bool answered) {
    if (!answered) return;
    expect_completed("snap-2");
    EXPECT_EQ(letter_of("snap-2", 0), 'I');
  };
  at_each_step(scenario, {Death::daemon});
}

TEST_F(ControlCrash, OfAttaching) {
  Scenario scenario;
  scenario.before = [&] {
    launch_and_wait();
    make_volume("vol-2");
    write("vol-2", 'B', 0);
  };
  scenario.ask = [&] { ask_to_attach("vol-2"); };
  scenario.done = [](const state::World& world) {
    return world.find<state::Volume>("a/vol-2")->attachment_state != state::AttachmentState::attaching;
  };
  scenario.after = [&](bool answered) {
    EXPECT_EQ(letter_of("vol-2", 0), 'B');
    EXPECT_EQ(find<state::Volume>("vol-2")->attachment_state, answered ? state::AttachmentState::attached : state::AttachmentState::none);
    if (!answered || !machines_->runs("i-1")) return;
    guest_writes("vol-2", 'C', mib);
    EXPECT_EQ(letter_of("vol-2", mib), 'C');
  };
  at_each_step(scenario);
}

TEST_F(ControlCrash, OfDetaching) {
  Scenario scenario;
  scenario.before = [&] { running_with_data(); };
  scenario.ask = [&] {
    change<state::Volume>("vol-2", [](state::Volume& volume) { volume.attachment_state = state::AttachmentState::detaching; });
  };
  scenario.done = [](const state::World& world) {
    return world.find<state::Volume>("a/vol-2")->attachment_state != state::AttachmentState::detaching;
  };
  scenario.after = [&](bool answered) {
    EXPECT_EQ(letter_of("vol-2", 0), 'B');
    EXPECT_EQ(find<state::Volume>("vol-2")->state, answered ? state::VolumeState::available : state::VolumeState::in_use);
    EXPECT_EQ(find<state::Instance>("i-1")->volume_ids.size(), answered ? 1U : 2U);
    if (!answered) return;
    EXPECT_FALSE(machines_->disk("i-1", "vol-2"));
  };
  at_each_step(scenario);
}

TEST_F(ControlCrash, OfDeletingAVolumeWhoseSnapshotsStay) {
  Scenario scenario;
  scenario.before = [&] {
    make_volume("vol-2");
    write("vol-2", 'B', 0);
    make_snapshot("snap-2", "vol-2");
    write("vol-2", 'C', 0);
  };
  scenario.ask = [&] { change<state::Volume>("vol-2", [](state::Volume& volume) { volume.state = state::VolumeState::deleting; }); };
  scenario.done = [&](const state::World& world) { return !is_volume(world, "vol-2", state::VolumeState::deleting); };
  scenario.after = [&](bool answered) {
    EXPECT_EQ(letter_of("snap-2", 0), 'B');
    EXPECT_EQ(find<state::Volume>("vol-2").has_value(), !answered);
    EXPECT_EQ(block_->usage("vol-2").has_value(), !answered);
    if (!answered) {
      EXPECT_EQ(letter_of("vol-2", 0), 'C');
    }
  };
  at_each_step(scenario, {Death::daemon});
}

TEST_F(ControlCrash, OfDeletingASnapshotThatVolumesStandOn) {
  Scenario scenario;
  scenario.before = [&] {
    running_with_data();
    make_snapshot("snap-2", "vol-2");
    make_volume("vol-3", "snap-2");
  };
  scenario.ask = [&] {
    change<state::Snapshot>("snap-2", [](state::Snapshot& snapshot) { snapshot.state = state::SnapshotState::deleting; });
  };
  scenario.done = [](const state::World& world) {
    const auto* snapshot = world.find<state::Snapshot>("a/snap-2");
    return snapshot == nullptr || snapshot->state != state::SnapshotState::deleting;
  };
  scenario.after = [&](bool answered) {
    EXPECT_EQ(find<state::Snapshot>("snap-2").has_value(), !answered);
    EXPECT_EQ(letter_of("vol-2", 0), 'B');
    EXPECT_EQ(letter_of("vol-3", 0), 'B');
  };
  at_each_step(scenario);
}

TEST_F(ControlCrash, OfATermination) {
  Scenario scenario;
  scenario.before = [&] { running_with_data(); };
  scenario.ask = [&] { ask(InstanceState::shutting_down); };
  scenario.done = [](const state::World& world) {
    const auto* instance = world.find<state::Instance>("a/i-1");
    return instance->state == InstanceState::running || world.find<state::Dependents>("a/i-1") == nullptr;
  };
  scenario.after = [&](bool answered) {
    EXPECT_EQ(letter_of("vol-2", 0), 'B');
    if (!answered) return;
    EXPECT_FALSE(find<state::Volume>("vol-1"));
    EXPECT_FALSE(block_->usage("vol-1"));
    EXPECT_EQ(find<state::Volume>("vol-2")->state, state::VolumeState::available);
  };
  at_each_step(scenario, {Death::daemon, Death::host});
}

// What a deleted snapshot held moves into the volume that stood on it.
TEST_F(ControlCrash, OfFlattening) {
  for (const bool running : {true, false}) {
    const auto files = [&] {
      size_t count = 0;
      for (const auto& held : block_->holdings().value_or(std::vector<block::Holding>{}))
        if (held.id == "vol-2") count = static_cast<size_t>(held.depth);
      return count;
    };
    Scenario scenario;
    scenario.before = [&] {
      launch_and_wait();
      make_volume("vol-2");
      write("vol-2", 'B', 0);
      make_snapshot("snap-2", "vol-2");
      write("vol-2", 'C', mib);
      if (running) attach("vol-2");
    };
    scenario.ask = [&] {
      change<state::Snapshot>("snap-2", [](state::Snapshot& snapshot) { snapshot.state = state::SnapshotState::deleting; });
    };
    scenario.done = [&](const state::World& world) {
      const auto* snapshot = world.find<state::Snapshot>("a/snap-2");
      // Never asked for, or asked for and flat.
      return snapshot == nullptr ? files() == 1 : snapshot->state == state::SnapshotState::completed;
    };
    scenario.after = [&](bool) {
      EXPECT_EQ(letter_of("vol-2", 0), 'B');
      EXPECT_EQ(letter_of("vol-2", mib), 'C');
    };
    at_each_step(scenario, running ? std::set<Death>{Death::daemon, Death::machine} : std::set<Death>{Death::daemon});
  }
}

// StartSnapshot, PutSnapshotBlock, CompleteSnapshot: the client says again what was not answered.
TEST_F(ControlCrash, OfASnapshotThatAClientWrites) {
  const std::string data(direct_block_bytes, 'D');
  int answers = 0;
  Scenario scenario;
  const auto put = [&](std::int64_t block) {
    const auto written = controller_->direct_snapshots().write("snap-2", block, data);
    if (!written) throw std::runtime_error(written.error().message);
    ++answers;
  };
  const auto complete = [&] {
    if (auto done = controller_->direct_snapshots().complete("snap-2"); !done) throw std::runtime_error(done.error().message);
    ++answers;
  };
  scenario.before = [&] { answers = 0; };
  scenario.ask = [&] {
    change<state::Snapshot>("snap-2", [](state::Snapshot& snapshot) {
      snapshot.state = state::SnapshotState::pending, snapshot.size_gib = 1, snapshot.write_minutes = 60, snapshot.parent_id = "snap-1",
      snapshot.encrypted = false;
    });
    ++answers;
    put(0);
    put(3);
    complete();
  };
  // It waits for its client as long as that takes.
  scenario.done = [](const state::World&) { return true; };
  scenario.after = [&](bool) {
    EXPECT_EQ(find<state::Snapshot>("snap-2").has_value() || answers > 0, find<state::Snapshot>("snap-2").has_value());
    if (!find<state::Snapshot>("snap-2")) return;
    const auto is_pending = [&] { return find<state::Snapshot>("snap-2")->state == state::SnapshotState::pending; };
    try {
      if (is_pending() && answers < 2) put(0);
      if (is_pending() && answers < 3) put(3);
      if (is_pending() && answers < 4) complete();
    } catch (const std::runtime_error& error) {
      // What was begun before the death is finished by itself.
      EXPECT_TRUE(comes([&] { return !is_pending(); })) << error.what();
    }
    expect_completed("snap-2");
    EXPECT_EQ(letter_of("snap-2", 0), 'D');
    EXPECT_EQ(letter_of("snap-2", 3 * direct_block_bytes), 'D');
    EXPECT_EQ(letter_of("snap-2", direct_block_bytes), 'I');
  };
  at_each_step(scenario, {Death::daemon});
}

}  // namespace
}  // namespace brume::control
