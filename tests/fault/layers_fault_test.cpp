// The store of layers alone, on files that have a header and nothing else: each of its calls, each call of the system, three errors.
#include <cerrno>
#include <ctime>
#include <fstream>
#include <memory>

#include "base/files.hpp"
#include "engines/block/layers.hpp"
#include "fault_home.hpp"
#include "system_calls.hpp"

namespace brume::faults {
namespace {

using block::Held;
using block::LayerStore;
using block::LinkKind;

// A qcow2 header of version 2 that names the file below, and a mark by which the file is known.
std::string layer_bytes(const std::string& below, const std::string& mark) {
  std::string bytes(104, '\0');
  const auto put = [&](size_t offset, std::uint64_t number, size_t size) {
    for (size_t i = 0; i < size; ++i) bytes[offset + i] = static_cast<char>(number >> 8 * (size - 1 - i) & 0xffU);
  };
  put(0, 0x514649fb, 4);
  put(4, 2, 4);
  put(24, 1 << 20, 8);
  if (!below.empty()) put(8, 104, 8);
  put(16, below.size(), 4);
  return bytes + below + mark;
}

// Of this thread, in nanoseconds.
std::int64_t processor_time() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

class LayersFault : public ::testing::Test {
 protected:
  static void write(const std::string& path, const std::string& below) {
    const Pause pause;
    std::ofstream(path, std::ios::trunc) << layer_bytes(below, path.substr(path.rfind('/')));
  }
  // vol-1 goes on in its second file, snap-1 is the first; vol-2 stands on snap-1; vol-x and its file can go; the last is nobody's.
  static void prepare(const std::string& folder) {
    const auto blocks = folder + "/blocks";
    LayerStore store(blocks, {});
    ASSERT_TRUE(store.load());
    for (const auto& [name, below] :
         {std::pair("vol-1.1", ""), {"vol-1.2", "vol-1.1.qcow2"}, {"vol-2.1", "vol-1.1.qcow2"}, {"vol-x.1", ""}})
      write(blocks + "/layers/" + name + ".qcow2", below);
    LayerStore filled(blocks, {});
    ASSERT_TRUE(filled.load());
    ASSERT_TRUE(filled.link(LinkKind::volume, "vol-1", "layers/vol-1.2.qcow2"));
    ASSERT_TRUE(filled.link(LinkKind::snapshot, "snap-1", "layers/vol-1.1.qcow2"));
    ASSERT_TRUE(filled.link(LinkKind::volume, "vol-2", "layers/vol-2.1.qcow2"));
    ASSERT_TRUE(filled.link(LinkKind::volume, "vol-x", "layers/vol-x.1.qcow2"));
    write(blocks + "/layers/vol-3.1.qcow2", "vol-1.1.qcow2");
  }
  FaultHome::Subject subject() {
    return {[this] {
              store_ = std::make_unique<LayerStore>(home_->blocks(), block::StepHook());
              ASSERT_TRUE(store_->load());
            },
            [this] { store_->collect(); }, [this] { store_.reset(); }};
  }
  // A new file for `id` over `below`, linked to.
  Result<void> move_on(LinkKind kind, const std::string& id, const std::string& below) {
    const Held made(*store_, store_->reserve(id));
    const auto part = store_->path_of(made.layer()) + ".part";
    write(part, below);
    if (auto kept = store_->keep(part, made.layer(), 0600); !kept) return kept;
    return store_->link(kind, id, made.layer());
  }
  void expect_all_survive(const FaultHome::Operation& operation) {
    int points = 0;
    for (const int error : {EMFILE, EIO, ENOSPC}) points += home_->try_all(operation, error);
    std::printf("%s: %d calls failed\n", operation.name.c_str(), points);
    RecordProperty("injected", points);
    EXPECT_GT(points, 0);
  }
  void SetUp() override { home_ = std::make_unique<FaultHome>(subject(), prepare); }

  std::unique_ptr<LayerStore> store_;
  std::unique_ptr<FaultHome> home_;  // last: its end lets go of the store
};

TEST_F(LayersFault, ANewLink) {
  expect_all_survive({"link of a new volume", [this] { return move_on(LinkKind::volume, "vol-4", "vol-1.1.qcow2"); }, {"volumes/vol-4"}});
}

TEST_F(LayersFault, ALinkThatMovesOn) {
  expect_all_survive({"link that moves on", [this] { return move_on(LinkKind::volume, "vol-1", "vol-1.2.qcow2"); }, {"volumes/vol-1"}});
}

TEST_F(LayersFault, AnotherNameForALayer) {
  expect_all_survive({"another name for a layer",
                      [this] { return store_->link(LinkKind::snapshot, "snap-2", store_->target(LinkKind::snapshot, "snap-1")); },
                      {"snapshots/snap-2"}});
}

TEST_F(LayersFault, AVolumeThatGoes) {
  expect_all_survive({"unlink",
                      [this] {
                        auto gone = store_->target(LinkKind::volume, "vol-2").empty() ? store_->settle(LinkKind::volume)
                                                                                      : store_->unlink(LinkKind::volume, "vol-2");
                        store_->collect();
                        return gone;
                      },
                      {},
                      {"volumes/vol-2"}});
}

TEST_F(LayersFault, ASnapshotThatGoes) {
  expect_all_survive({"unlink of a snapshot",
                      [this] {
                        auto gone = store_->target(LinkKind::snapshot, "snap-1").empty() ? store_->settle(LinkKind::snapshot)
                                                                                         : store_->unlink(LinkKind::snapshot, "snap-1");
                        store_->collect();
                        return gone;
                      },
                      {},
                      {"snapshots/snap-1"}});
}

TEST_F(LayersFault, AHeaderThatChanged) {
  // vol-2's own file holds by now what it needed of the one below.
  expect_all_survive({"reread",
                      [this] {
                        write(home_->blocks() + "/layers/vol-2.1.qcow2", "");
                        auto read = store_->reread("layers/vol-2.1.qcow2");
                        store_->collect();
                        return read;
                      },
                      {"volumes/vol-2"},
                      {},
                      {"volumes/vol-2"}});
}

TEST_F(LayersFault, TheStart) {
  expect_all_survive({"load", [this]() -> Result<void> {
                        auto store = std::make_unique<LayerStore>(home_->blocks(), block::StepHook());
                        if (auto loaded = store->load(); !loaded) return loaded;
                        store_ = std::move(store);
                        store_->remove_unfinished();
                        store_->collect();
                        return {};
                      }});
}

TEST_F(LayersFault, NothingIsRemovedWhileALinkDangles) {
  LayerStore store(home_->blocks(), {});
  std::filesystem::rename(home_->blocks() + "/layers/vol-1.2.qcow2", home_->folder() + "/aside");
  ASSERT_TRUE(store.load());
  EXPECT_EQ(store.dangling({}), "vol-1");
  EXPECT_TRUE(store.collect().empty());
  EXPECT_TRUE(path_exists(home_->blocks() + "/layers/vol-3.1.qcow2"));
  // Also what loses its link by now: with the gap nobody knows who stands on what.
  ASSERT_TRUE(store.unlink(LinkKind::snapshot, "snap-1"));
  ASSERT_TRUE(store.unlink(LinkKind::volume, "vol-2"));
  EXPECT_TRUE(store.collect().empty());
  EXPECT_TRUE(path_exists(home_->blocks() + "/layers/vol-1.1.qcow2"));
  std::filesystem::rename(home_->folder() + "/aside", home_->blocks() + "/layers/vol-1.2.qcow2");
  LayerStore again(home_->blocks(), {});
  ASSERT_TRUE(again.load());
  EXPECT_EQ(again.dangling({}), "");
  EXPECT_EQ(again.collect(), (std::vector<std::string>{"layers/vol-2.1.qcow2", "layers/vol-3.1.qcow2"}));
  EXPECT_TRUE(again.chain(again.target(LinkKind::volume, "vol-1")));
}

TEST_F(LayersFault, AFileIsKeptThatTheDiskStillLeadsTo) {
  LayerStore store(home_->blocks(), {});
  ASSERT_TRUE(store.load());
  // Somebody else put it there, behind the back of this store.
  std::filesystem::create_symlink("../layers/vol-3.1.qcow2", home_->blocks() + "/volumes/vol-3");
  EXPECT_TRUE(store.collect().empty());
  EXPECT_TRUE(path_exists(home_->blocks() + "/layers/vol-3.1.qcow2"));
}

// Of ten times as many layers each of ten times as many removals takes the same: a hundredfold would be a walk over all for each. Time of
// this thread's processor, with room for three times the goal.
TEST_F(LayersFault, ManyLayersCostWhatIsDoneToThem) {
  const auto measure = [&](int many) {
    const auto blocks = home_->folder() + "/many-" + std::to_string(many);
    for (const auto* name : {"/layers", "/volumes", "/snapshots"}) std::filesystem::create_directories(blocks + name);
    for (int i = 0; i < many; ++i) {
      const auto id = "vol-" + std::to_string(100'000 + i);
      write(blocks + "/layers/" + id + ".1.qcow2", "");
      std::filesystem::create_symlink("../layers/" + id + ".1.qcow2", blocks + "/volumes/" + id);
    }
    LayerStore store(blocks, {});
    EXPECT_TRUE(store.load());
    const auto begin = processor_time();
    for (int i = 0; i < many; i += 2) {
      const auto id = "vol-" + std::to_string(100'000 + i);
      const Held name(store, store.reserve(id));
      EXPECT_TRUE(store.serves_others("layers/" + id + ".1.qcow2", ""));
      EXPECT_TRUE(store.unlink(LinkKind::volume, id));
      EXPECT_EQ(store.collect().size(), 1U);
    }
    return processor_time() - begin;
  };
  const auto few = measure(300);
  EXPECT_LE(measure(3'000), 33 * few);
}

}  // namespace
}  // namespace brume::faults
