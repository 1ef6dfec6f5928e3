// Chains of volumes that no machine has open are made short by the block engine, which gives way to whoever wants the volume.
#include <filesystem>

#include "base/process.hpp"
#include "base/sealing.hpp"
#include "control_world.hpp"

namespace brume::control {
namespace {

class FoldingTest : public ControlTest {
 protected:
  void SetUp() override {
    char name[] = "/tmp/brume-folding-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
    store_ = *state::Store::open(state::make_memory_log(), clock_, random_);
    network_ = make_network();
    volume_key_ = std::string(sealing_key_size, 'h');
    store_->watch([this](const state::Commit&) {
      const std::lock_guard lock(mutex_);
      changed_.notify_all();
    });
    auto made = block::make_file_block_engine(folder_ + "/blocks", [this](std::string_view step) {
      const std::lock_guard lock(mutex_);
      steps_.emplace(step);
      changed_.notify_all();
    });
    ASSERT_TRUE(made) << made.error().message;
    block_ = std::move(*made);
  }
  void TearDown() override {
    controller_.reset();
    std::filesystem::remove_all(folder_);
  }

  // A free volume on two files, of which it alone needs the lower one: so many MiB of its bytes are there.
  void make_volume(int mib, const std::string& key = "") {
    ASSERT_TRUE(block_->create("vol-1", 1ULL << 30, key));
    for (int done = 0; done < mib; done += 16)
      ASSERT_TRUE(block_->write_volume("vol-1", static_cast<std::uint64_t>(done) << 20, std::string(16 << 20, 'A'), key));
    ASSERT_TRUE(block_->prepare_snapshot("vol-1", ::geteuid(), key));
    ASSERT_TRUE(block_->keep_snapshot("snap-1", "vol-1"));
    ASSERT_TRUE(block_->remove_snapshot("snap-1"));
    ASSERT_EQ(files_below(), 1U);
    store_->transact([&](state::Transaction& transaction) {
      state::Volume volume;
      volume.account = "a", volume.id = "vol-1", volume.size_gib = 1, volume.state = state::VolumeState::available,
      volume.encrypted = !key.empty();
      if (volume.encrypted) volume.wrapped_key = seal(volume_key_, key, random_);
      transaction.put(volume);
    });
  }
  size_t files_below() const { return block_->open("vol-1", ::geteuid())->bases.size(); }
  ::testing::AssertionResult comes_to(const std::string& step) {
    return reaches([&](const state::World&) { return steps_.count(step) != 0; });
  }
  bool came_to(const std::string& step) {
    const std::lock_guard lock(mutex_);
    return steps_.count(step) != 0;
  }

  std::string folder_;
  std::set<std::string> steps_;
};

TEST_F(FoldingTest, AFreeVolumesChainIsShortened) {
  make_volume(80);
  build();
  ASSERT_TRUE(comes_to("fold.sync"));
  controller_.reset();
  EXPECT_EQ(files_below(), 0U);
  EXPECT_EQ(block_->read("vol-1", 79ULL << 20, 512, ""), std::string(512, 'A'));
}

TEST_F(FoldingTest, AnEncryptedOnesToo) {
  const std::string key(64, 'k');
  make_volume(16, key);
  build();
  ASSERT_TRUE(comes_to("fold.sync"));
  controller_.reset();
  EXPECT_EQ(files_below(), 0U);
  EXPECT_EQ(block_->read("vol-1", 15ULL << 20, 512, key), std::string(512, 'A'));
}

// Five seconds' worth: who had to wait for the end of it would see it done.
TEST_F(FoldingTest, GivesWayToWhoeverWantsTheVolume) {
  make_volume(320);
  build();
  ASSERT_TRUE(comes_to("fold.stream"));
  EXPECT_EQ(controller_->fold_progress().value_or(std::pair<std::string, int>()).first, "vol-1");
  store_->transact([&](state::Transaction& transaction) {
    auto volume = *transaction.find<state::Volume>("a/vol-1");
    volume.state = state::VolumeState::deleting;
    transaction.put(volume);
  });
  ASSERT_TRUE(reaches([](const state::World& world) { return world.find<state::Volume>("a/vol-1") == nullptr; }));
  EXPECT_FALSE(came_to("fold.sync"));
  controller_.reset();
  EXPECT_TRUE(block_->holdings()->empty());
}

TEST_F(FoldingTest, TheEndOfTheDaemonDoesNotWaitForIt) {
  make_volume(320);
  build();
  ASSERT_TRUE(comes_to("fold.stream"));
  controller_.reset();
  EXPECT_FALSE(came_to("fold.sync"));
  EXPECT_EQ(block_->read("vol-1", 319ULL << 20, 512, ""), std::string(512, 'A'));
  // The next one goes on with it.
  EXPECT_EQ(block_->foldable()->size(), 1U);
}

}  // namespace
}  // namespace brume::control
