// Snapshots, copies, growth and encryption of the file engine with real qemu-img; and a death at each step of everything it does.
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/sealing.hpp"
#include "base/secret_file.hpp"
#include "block_fixture.hpp"

namespace brume::block {
namespace {

const std::string key(64, 'k');

class BlockSnapshotsTest : public BlockFixture {
 protected:
  void TearDown() override {
    if (path_exists(layers())) check_all();
    BlockFixture::TearDown();
  }
  // The layer and all below it as QEMU is told of them, with the key for those that want it.
  static std::string node(const OpenVolume& open) {
    const auto one = [](const std::string& path, bool encrypted) {
      return R"("driver":"qcow2","file":{"driver":"file","filename":")" + path + "\"}" +
             (encrypted ? R"(,"encrypt":{"format":"luks","key-secret":"key"})" : "");
    };
    std::string text = "{" + one(open.file, open.encrypted);
    for (const auto& base : open.bases) text += ",\"backing\":{" + one(base.file, base.encrypted);
    return text + R"(,"backing":null)" + std::string(open.bases.size() + 1, '}');
  }
  std::string qemu_io(const std::string& volume_id, const std::string& what) {
    const auto open = blocks_->open(volume_id, ::geteuid());
    EXPECT_TRUE(open) << volume_id;
    if (!open) return {};
    auto secret = make_secret_file(key);
    EXPECT_TRUE(secret);
    Command io;
    io.program = "qemu-io";
    io.descriptors = {{secret->get(), 3}};
    io.arguments = {"--object", "secret,id=key,file=/proc/self/fd/3", "-c", what, "json:" + node(*open)};
    const auto output = run(io);
    // A pattern that is another one is an answer.
    EXPECT_TRUE(output && (output->status == 0 || output->output.find(differs) != std::string::npos)) << (output ? output->errors : "");
    return output ? output->output : "";
  }
  static constexpr const char* differs = "Pattern verification failed";
  void write(const std::string& volume_id, char letter, const std::string& where = "0 1M") {
    qemu_io(volume_id, "write -P " + std::to_string(static_cast<int>(letter)) + " " + where);
  }
  bool holds(const std::string& volume_id, char letter, const std::string& where = "0 1M") {
    return qemu_io(volume_id, "read -P " + std::to_string(static_cast<int>(letter)) + " " + where).find(differs) == std::string::npos;
  }
  Result<void> snapshot(const std::string& snapshot_id, const std::string& volume_id, const std::string& secret = "") {
    const auto overlay = blocks_->prepare_snapshot(volume_id, ::geteuid(), secret);
    if (!overlay) return fail(overlay.error());
    EXPECT_TRUE(*overlay);
    return blocks_->keep_snapshot(snapshot_id, volume_id);
  }
  size_t layer_count() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(layers())) ++count;
    return count;
  }
  // qemu-img finds no fault in any file, and every base that a file names is there.
  void check_all() {
    for (const auto& entry : std::filesystem::directory_iterator(layers())) {
      if (!entry.path().string().ends_with(".qcow2")) continue;
      auto secret = make_secret_file(key);
      Command check;
      check.program = "qemu-img";
      check.descriptors = {{secret->get(), 3}};
      check.arguments = {"check", "-q", "--object", "secret,id=key,file=/proc/self/fd/3"};
      std::string header = read_file(entry.path().string(), 1ULL << 30).value_or("").substr(0, 104);
      const bool encrypted = header.size() > 35 && header[35] == 2;
      check.arguments.push_back(R"(json:{"driver":"qcow2","backing":null,"file":{"driver":"file","filename":")" + entry.path().string() +
                                "\"}" + (encrypted ? R"(,"encrypt":{"format":"luks","key-secret":"key"}})" : "}"));
      const auto output = run(check);
      ASSERT_TRUE(output);
      EXPECT_EQ(output->status, 0) << entry.path() << ": " << output->errors << output->output;
    }
    const auto all = blocks_->holdings();
    for (const auto& held : *all) EXPECT_GT(held.depth, 0) << held.id << " has lost a file";
  }
};

TEST_F(BlockSnapshotsTest, ASnapshotIsWhatTheVolumeWasThen) {
  ASSERT_TRUE(blocks_->create("vol-1", 8 * mib, ""));
  write("vol-1", 'A');
  ASSERT_TRUE(snapshot("snap-1", "vol-1"));
  write("vol-1", 'B');
  ASSERT_TRUE(snapshot("snap-2", "vol-1"));
  write("vol-1", 'C');
  ASSERT_TRUE(blocks_->clone("vol-2", "snap-1", 0, ""));
  ASSERT_TRUE(blocks_->clone("vol-3", "snap-2", 16 * mib, ""));
  EXPECT_TRUE(holds("vol-1", 'C'));
  EXPECT_TRUE(holds("vol-2", 'A'));
  EXPECT_TRUE(holds("vol-3", 'B'));
  EXPECT_TRUE(holds("vol-3", '\0', "8M 8M"));
  write("vol-2", 'D');
  EXPECT_TRUE(holds("vol-3", 'B'));
  EXPECT_EQ(blocks_->usage("vol-3")->virtual_bytes, 16 * mib);
}

TEST_F(BlockSnapshotsTest, DeletingAnyOneHarmsNoOtherAndAllOfThemLeaveNothing) {
  // Every order of deleting the volume and its three snapshots.
  std::vector<std::string> order = {"vol-1", "snap-1", "snap-2", "snap-3"};
  do {
    ASSERT_TRUE(blocks_->create("vol-1", 4 * mib, ""));
    std::map<std::string, char> letters;
    for (const char letter : {'1', '2', '3'}) {
      write("vol-1", letter);
      ASSERT_TRUE(snapshot(std::string("snap-") + letter, "vol-1"));
      letters[std::string("snap-") + letter] = letter;
    }
    write("vol-1", 'V');
    std::set<std::string> left(order.begin(), order.end());
    for (const auto& gone : order) {
      ASSERT_TRUE(gone == "vol-1" ? blocks_->remove_volume(gone) : blocks_->remove_snapshot(gone));
      left.erase(gone);
      if (left.count("vol-1") != 0) {
        EXPECT_TRUE(holds("vol-1", 'V')) << "after " << gone;
      }
      // One look is enough for each order: the last that is left.
      if (left.size() != 1 || *left.begin() == "vol-1") continue;
      ASSERT_TRUE(blocks_->clone("vol-2", *left.begin(), 0, ""));
      EXPECT_TRUE(holds("vol-2", letters[*left.begin()]));
      ASSERT_TRUE(blocks_->remove_volume("vol-2"));
    }
    ASSERT_EQ(layer_count(), 0U);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(BlockSnapshotsTest, ACopyIsIndependent) {
  ASSERT_TRUE(blocks_->create("vol-1", 4 * mib, ""));
  write("vol-1", 'A');
  ASSERT_TRUE(snapshot("snap-1", "vol-1"));
  ASSERT_TRUE(blocks_->copy_snapshot("snap-2", "snap-1"));
  EXPECT_EQ(blocks_->copy_snapshot("snap-2", "snap-1").error().kind, ErrorKind::exists);
  EXPECT_EQ(blocks_->copy_snapshot("snap-3", "snap-9").error().kind, ErrorKind::not_found);
  ASSERT_TRUE(blocks_->remove_snapshot("snap-1"));
  ASSERT_TRUE(blocks_->remove_volume("vol-1"));
  make();
  ASSERT_TRUE(blocks_->clone("vol-2", "snap-2", 0, ""));
  EXPECT_TRUE(holds("vol-2", 'A'));
}

TEST_F(BlockSnapshotsTest, GrowsAndTheNewRoomIsEmpty) {
  ASSERT_TRUE(blocks_->create("vol-1", 4 * mib, ""));
  write("vol-1", 'A', "0 4M");
  ASSERT_TRUE(snapshot("snap-1", "vol-1"));
  ASSERT_TRUE(blocks_->resize("vol-1", 8 * mib, ""));
  EXPECT_EQ(blocks_->usage("vol-1")->virtual_bytes, 8 * mib);
  EXPECT_TRUE(holds("vol-1", 'A', "0 4M"));
  EXPECT_TRUE(holds("vol-1", '\0', "4M 4M"));
  ASSERT_TRUE(blocks_->resize("vol-1", 2 * mib, ""));
  EXPECT_EQ(blocks_->usage("vol-1")->virtual_bytes, 8 * mib) << "a volume never shrinks";
  ASSERT_TRUE(blocks_->clone("vol-2", "snap-1", 0, ""));
  EXPECT_EQ(blocks_->usage("vol-2")->virtual_bytes, 4 * mib);
}

TEST_F(BlockSnapshotsTest, AnEncryptedVolumeShowsNothingAndItsClonesOpenWithItsKey) {
  ASSERT_TRUE(blocks_->create("vol-1", 4 * mib, key));
  write("vol-1", 'S', "1M 1M");
  ASSERT_TRUE(snapshot("snap-1", "vol-1", key));
  write("vol-1", 'T', "2M 1M");
  ASSERT_TRUE(blocks_->resize("vol-1", 8 * mib, key));
  const auto cloned = blocks_->clone("vol-2", "snap-1", 0, key);
  ASSERT_TRUE(cloned) << cloned.error().message;
  EXPECT_TRUE(holds("vol-1", 'S', "1M 1M"));
  EXPECT_TRUE(holds("vol-1", 'T', "2M 1M"));
  EXPECT_TRUE(holds("vol-2", 'S', "1M 1M"));
  EXPECT_FALSE(holds("vol-2", 'T', "2M 1M"));
  EXPECT_EQ(blocks_->clone("vol-3", "snap-1", 0, "").error().kind, ErrorKind::invalid);
  for (const auto& entry : std::filesystem::directory_iterator(layers())) {
    const auto bytes = *read_file(entry.path().string(), 64 * mib);
    EXPECT_EQ(bytes.find(std::string(64, 'S')), std::string::npos) << entry.path() << " holds what was written as it was written";
    EXPECT_EQ(bytes.find(key), std::string::npos) << entry.path() << " holds the key";
  }
}

TEST_F(BlockSnapshotsTest, WhatWasNotEncryptedIsCopiedEncryptedWhole) {
  ASSERT_TRUE(blocks_->create("vol-1", 4 * mib, ""));
  write("vol-1", 'P', "1M 1M");
  ASSERT_TRUE(snapshot("snap-0", "vol-1", ""));
  write("vol-1", 'Q', "2M 1M");
  ASSERT_TRUE(snapshot("snap-1", "vol-1", ""));
  std::vector<int> told;
  const auto copied = blocks_->copy_snapshot("snap-2", "snap-1", key, [&](int percent) { told.push_back(percent); });
  ASSERT_TRUE(copied) << copied.error().message;
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back(), 100);
  EXPECT_EQ(blocks_->copy_snapshot("snap-2", "snap-1", key).error().kind, ErrorKind::exists);
  const auto cloned = blocks_->clone("vol-2", "snap-1", 8 * mib, key);
  ASSERT_TRUE(cloned) << cloned.error().message;
  EXPECT_EQ(blocks_->usage("vol-2")->virtual_bytes, 8 * mib);
  // What stood in the clear may go: the copies are whole.
  for (const auto* id : {"snap-0", "snap-1"}) ASSERT_TRUE(blocks_->remove_snapshot(id));
  ASSERT_TRUE(blocks_->remove_volume("vol-1"));
  ASSERT_TRUE(blocks_->clone("vol-3", "snap-2", 0, key));
  for (const auto* id : {"vol-2", "vol-3"}) {
    EXPECT_TRUE(holds(id, 'P', "1M 1M")) << id;
    EXPECT_TRUE(holds(id, 'Q', "2M 1M")) << id;
    EXPECT_TRUE(holds(id, '\0', "0M 1M")) << id;
  }
  EXPECT_TRUE(holds("vol-2", '\0', "4M 4M"));
  for (const auto& entry : std::filesystem::directory_iterator(layers())) {
    EXPECT_TRUE(entry.path().string().ends_with(".qcow2")) << entry.path() << " was left";
    const auto bytes = *read_file(entry.path().string(), 64 * mib);
    for (const char letter : {'P', 'Q'}) EXPECT_EQ(bytes.find(std::string(64, letter)), std::string::npos) << entry.path();
  }
  // A copy of an encrypted one is its bytes under another name, whatever key is given.
  ASSERT_TRUE(blocks_->copy_snapshot("snap-3", "snap-2", "another key"));
  EXPECT_EQ(file_of("snapshots/snap-3"), file_of("snapshots/snap-2"));
}

TEST_F(BlockSnapshotsTest, SnapshotsAndClonesOfAnEncryptedVolumeTakeNoLongerThanOthers) {
  constexpr std::uint64_t largest = 16384ULL << 30;
  ASSERT_TRUE(blocks_->create("vol-1", 8 * mib, key));
  write("vol-1", 'A');
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_TRUE(snapshot("snap-1", "vol-1", key));
  ASSERT_TRUE(blocks_->clone("vol-2", "snap-1", largest, key));
  // Five at least, where each would take two seconds of a processor with a key derivation that is timed anew.
  for (const auto* id : {"vol-3", "vol-4", "vol-5"}) ASSERT_TRUE(blocks_->clone(id, "snap-1", 0, key));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, seconds(2));
  write("vol-1", 'B');
  write("vol-2", 'C', std::to_string(largest - mib) + " 1M");
  EXPECT_TRUE(holds("vol-1", 'B'));
  EXPECT_TRUE(holds("vol-2", 'A'));
  EXPECT_TRUE(holds("vol-2", '\0', "8M 1M"));
  EXPECT_TRUE(holds("vol-2", 'C', std::to_string(largest - mib) + " 1M"));
  EXPECT_TRUE(holds("vol-3", 'A'));
  EXPECT_EQ(blocks_->usage("vol-2")->virtual_bytes, largest);
  ASSERT_TRUE(blocks_->resize("vol-3", 16 * mib, key));
  EXPECT_TRUE(holds("vol-3", '\0', "15M 1M"));
  EXPECT_FALSE(blocks_->read("vol-3", 0, 512, std::string(64, 'x'))) << "another key does not open it";
}

TEST_F(BlockSnapshotsTest, ChainsStayShortAndRoomComesBack) {
  ASSERT_TRUE(blocks_->create("vol-1", 4 * mib, ""));
  write("vol-1", 'A');
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) {
    ids.push_back("snap-" + std::to_string(i));
    ASSERT_TRUE(snapshot(ids.back(), "vol-1"));
  }
  write("vol-1", 'B', "2M 1M");
  // All twenty are needed, but the volume has not to look through all of them.
  auto folds = blocks_->foldable();
  ASSERT_EQ(folds->size(), 1U);
  ASSERT_TRUE(blocks_->fold(folds->front(), "", {}));
  EXPECT_LE(blocks_->open("vol-1", ::geteuid())->bases.size(), 1U);
  for (const auto& id : ids) ASSERT_TRUE(blocks_->remove_snapshot(id));
  folds = blocks_->foldable();
  for (const auto& fold : *folds) ASSERT_TRUE(blocks_->fold(fold, "", {}));
  EXPECT_TRUE(holds("vol-1", 'A'));
  EXPECT_TRUE(holds("vol-1", 'B', "2M 1M"));
  EXPECT_EQ(layer_count(), 1U);
}

TEST_F(BlockSnapshotsTest, AnEncryptedChainIsFoldedWithItsKey) {
  ASSERT_TRUE(blocks_->create("vol-1", 4 * mib, key));
  write("vol-1", 'A');
  ASSERT_TRUE(snapshot("snap-1", "vol-1", key));
  write("vol-1", 'B', "2M 1M");
  ASSERT_TRUE(blocks_->remove_snapshot("snap-1"));
  const auto folds = blocks_->foldable();
  ASSERT_EQ(folds->size(), 1U);
  EXPECT_FALSE(blocks_->fold(folds->front(), std::string(64, 'x'), {})) << "another key does not open it";
  EXPECT_TRUE(holds("vol-1", 'A'));
  ASSERT_TRUE(blocks_->fold(folds->front(), key, {}));
  EXPECT_TRUE(holds("vol-1", 'A'));
  EXPECT_TRUE(holds("vol-1", 'B', "2M 1M"));
  EXPECT_EQ(layer_count(), 1U);
}

TEST_F(BlockSnapshotsTest, AFoldTakesItsTimeSaysHowFarItIsAndCanBeBrokenOff) {
  ASSERT_TRUE(blocks_->create("vol-1", 64 * mib, ""));
  write("vol-1", 'A', "0 64M");
  ASSERT_TRUE(snapshot("snap-1", "vol-1"));
  ASSERT_TRUE(blocks_->remove_snapshot("snap-1"));
  const auto folds = blocks_->foldable();
  ASSERT_EQ(folds->size(), 1U);
  // Eight seconds' worth; the first word of progress ends it.
  std::stop_source stop;
  int seen = -1;
  const Pace slow{8 * mib,
                  [&](int percent) {
                    seen = percent;
                    stop.request_stop();
                  },
                  stop.get_token()};
  const auto broken_off = blocks_->fold(folds->front(), "", slow);
  ASSERT_FALSE(broken_off);
  EXPECT_EQ(broken_off.error().kind, ErrorKind::refused) << broken_off.error().message;
  EXPECT_GT(seen, 0);
  EXPECT_LT(seen, 100);
  EXPECT_TRUE(holds("vol-1", 'A', "0 64M"));
  EXPECT_EQ(layer_count(), 2U);
  // It goes on with what is left.
  ASSERT_TRUE(blocks_->fold(folds->front(), "", {}));
  EXPECT_TRUE(holds("vol-1", 'A', "0 64M"));
  EXPECT_EQ(layer_count(), 1U);
}

TEST_F(BlockSnapshotsTest, TellsWhatUsesWhat) {
  ASSERT_TRUE(blocks_->create("vol-1", 8 * mib, ""));
  write("vol-1", 'A', "0 2M");
  ASSERT_TRUE(snapshot("snap-1", "vol-1"));
  write("vol-1", 'B', "4M 1M");
  std::map<std::string, Holding> held;
  const auto all = blocks_->holdings();
  for (const auto& each : *all) held[each.id] = each;
  ASSERT_EQ(held.size(), 2U);
  EXPECT_EQ(held["vol-1"].virtual_bytes, 8 * mib);
  EXPECT_EQ(held["vol-1"].depth, 2);
  EXPECT_GE(held["vol-1"].own_bytes, mib);
  EXPECT_LT(held["vol-1"].own_bytes, 2 * mib);
  EXPECT_GE(held["vol-1"].shared_bytes, 2 * mib);
  EXPECT_EQ(held["snap-1"].own_bytes, 0U);
  ASSERT_TRUE(blocks_->remove_volume("vol-1"));
  EXPECT_GE(blocks_->holdings()->front().own_bytes, 2 * mib);
}

TEST_F(BlockSnapshotsTest, FilesOfBeforeThereWereLayersAreTakenUp) {
  blocks_.reset();
  const auto old = folder_ + "/blocks";
  std::filesystem::remove_all(layers());
  const auto qemu_img = [](std::vector<std::string> arguments) {
    Command command;
    command.program = "qemu-img";
    command.arguments = std::move(arguments);
    ASSERT_TRUE(run_checked(command));
  };
  qemu_img({"create", "-q", "-f", "qcow2", old + "/snapshots/snap-1.qcow2", "4M"});
  qemu_img({"create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "../snapshots/snap-1.qcow2", old + "/volumes/vol-1.qcow2", "4M"});
  make();
  write("vol-1", 'A');
  ASSERT_TRUE(blocks_->clone("vol-2", "snap-1", 0, ""));
  ASSERT_TRUE(snapshot("snap-2", "vol-1"));
  write("vol-1", 'B');
  ASSERT_TRUE(blocks_->remove_snapshot("snap-1"));
  make();
  EXPECT_TRUE(holds("vol-1", 'B'));
  EXPECT_TRUE(holds("vol-2", '\0'));
  const auto swept = blocks_->sweep([](const std::string& id) { return id != "snap-1"; }, Time{}, milliseconds(0));
  ASSERT_TRUE(swept);
  EXPECT_TRUE(swept->removed.empty() && swept->set_aside.empty());
  ASSERT_TRUE(blocks_->remove_volume("vol-1"));
  ASSERT_TRUE(blocks_->clone("vol-3", "snap-2", 0, ""));
  EXPECT_TRUE(holds("vol-3", 'A'));
}

// A death at each step ---------------------------------------------------------------------------------------------------------------

class CrashTest : public BlockSnapshotsTest {
 protected:
  // Does it in a child that dies before its step number `at`. The step's name; empty: it came through.
  std::string die_at(int at, const std::function<bool(BlockEngine&)>& act) {
    int pipe[2];
    EXPECT_EQ(::pipe(pipe), 0);
    const auto child = ::fork();
    if (child == 0) {
      ::close(pipe[0]);
      int count = 0;
      const auto hook = [&](std::string_view step) {
        if (count++ != at) return;
        [[maybe_unused]] const auto told = ::write(pipe[1], step.data(), step.size());
        ::_exit(3);
      };
      auto engine = make_file_block_engine(folder_ + "/blocks", hook);
      ::_exit(engine && act(**engine) ? 0 : 4);
    }
    ::close(pipe[1]);
    char name[64];
    const auto got = ::read(pipe[0], name, sizeof name);
    ::close(pipe[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) != 4) << "step " << at << " failed without dying";
    return got > 0 ? std::string(name, static_cast<size_t>(got)) : std::string();
  }

  // For each step: the world as `before` makes it, the death, the restart with its sweep, and what has to hold.
  void at_each_step(const std::function<void()>& before, const std::function<bool(BlockEngine&)>& act,
                    const std::function<bool(const std::string& id)>& known, const std::function<void(const std::string& step)>& after) {
    std::set<std::string> seen;
    for (int at = 0;; ++at) {
      ASSERT_LT(at, 50);
      std::filesystem::remove_all(folder_ + "/blocks");
      make();
      before();
      const auto step = die_at(at, act);
      make();
      ASSERT_TRUE(blocks_->sweep(known, Time{}, milliseconds(0)));
      after(step);
      check_all();
      for (const auto& name : {"layers", "volumes", "snapshots"})
        for (const auto& entry : std::filesystem::directory_iterator(folder_ + "/blocks/" + name))
          EXPECT_EQ(entry.path().string().find(".part"), std::string::npos) << entry.path() << " was left at " << step;
      if (step.empty()) break;
      seen.insert(step);
    }
    EXPECT_GE(seen.size(), 1U);
  }
  static bool all(const std::string&) { return true; }
};

TEST_F(CrashTest, OfCreate) {
  at_each_step([] {}, [](BlockEngine& engine) { return engine.create("vol-1", 4 * mib, "").has_value(); }, all,
               [&](const std::string& step) {
                 // Control tries again after the restart.
                 auto again = blocks_->create("vol-1", 4 * mib, "");
                 EXPECT_TRUE(again || again.error().kind == ErrorKind::exists) << step;
                 write("vol-1", 'A');
                 EXPECT_EQ(layer_count(), 1U) << step;
               });
}

TEST_F(CrashTest, OfClone) {
  at_each_step(
      [&] {
        ASSERT_TRUE(blocks_->create("vol-1", 4 * mib, ""));
        write("vol-1", 'A');
        ASSERT_TRUE(snapshot("snap-1", "vol-1"));
      },
      [](BlockEngine& engine) { return engine.clone("vol-2", "snap-1", 0, "").has_value(); }, all,
      [&](const std::string& step) {
        auto again = blocks_->clone("vol-2", "snap-1", 0, "");
        EXPECT_TRUE(again || again.error().kind == ErrorKind::exists) << step;
        EXPECT_TRUE(holds("vol-2", 'A')) << step;
        EXPECT_TRUE(holds("vol-1", 'A')) << step;
        EXPECT_EQ(layer_count(), 3U) << step;
      });
}

TEST_F(CrashTest, OfSnapshot) {
  at_each_step(
      [&] {
        ASSERT_TRUE(blocks_->create("vol-1", 4 * mib, ""));
        write("vol-1", 'A');
      },
      [](BlockEngine& engine) { return engine.prepare_snapshot("vol-1", ::geteuid(), "") && engine.keep_snapshot("snap-1", "vol-1"); }, all,
      [&](const std::string& step) {
        EXPECT_TRUE(holds("vol-1", 'A')) << step;
        // Taken again, later: what was written meanwhile is in it.
        write("vol-1", 'B', "2M 1M");
        const bool again = !step.empty();
        if (again) {
          ASSERT_TRUE(snapshot("snap-1", "vol-1"));
        }
        write("vol-1", 'C');
        ASSERT_TRUE(blocks_->clone("vol-2", "snap-1", 0, ""));
        EXPECT_TRUE(holds("vol-2", 'A')) << step;
        EXPECT_EQ(holds("vol-2", 'B', "2M 1M"), again) << step;
        EXPECT_TRUE(holds("vol-1", 'C')) << step;
      });
}

TEST_F(CrashTest, OfDelete) {
  at_each_step(
      [&] {
        ASSERT_TRUE(blocks_->create("vol-1", 4 * mib, ""));
        write("vol-1", 'A');
        ASSERT_TRUE(snapshot("snap-1", "vol-1"));
        ASSERT_TRUE(snapshot("snap-2", "vol-1"));
        ASSERT_TRUE(blocks_->clone("vol-2", "snap-1", 0, ""));
      },
      [](BlockEngine& engine) {
        return engine.remove_volume("vol-1") && engine.remove_snapshot("snap-2") && engine.remove_snapshot("snap-1");
      },
      [](const std::string& id) { return id == "vol-2"; },
      [&](const std::string& step) {
        EXPECT_TRUE(holds("vol-2", 'A')) << step;
        // What the death left was set aside, and goes when its time is over.
        ASSERT_TRUE(blocks_->sweep([](const std::string& id) { return id == "vol-2"; }, Time{} + seconds(1), milliseconds(0))) << step;
        EXPECT_EQ(layer_count(), 2U) << step;
      });
}

TEST_F(CrashTest, OfFold) {
  at_each_step(
      [&] {
        ASSERT_TRUE(blocks_->create("vol-1", 4 * mib, ""));
        write("vol-1", 'A');
        ASSERT_TRUE(snapshot("snap-1", "vol-1"));
        write("vol-1", 'B', "2M 1M");
        ASSERT_TRUE(snapshot("snap-2", "vol-1"));
        ASSERT_TRUE(blocks_->remove_snapshot("snap-2"));
      },
      [](BlockEngine& engine) {
        const auto folds = engine.foldable();
        return folds && folds->size() == 1 && engine.fold(folds->front(), "", {});
      },
      all,
      [&](const std::string& step) {
        EXPECT_TRUE(holds("vol-1", 'A')) << step;
        EXPECT_TRUE(holds("vol-1", 'B', "2M 1M")) << step;
        for (const auto folds = blocks_->foldable(); const auto& fold : *folds) ASSERT_TRUE(blocks_->fold(fold, "", {}));
        EXPECT_TRUE(holds("vol-1", 'A')) << step;
        EXPECT_TRUE(holds("vol-1", 'B', "2M 1M")) << step;
        EXPECT_EQ(layer_count(), 2U) << step;
        EXPECT_TRUE(blocks_->foldable()->empty());
      });
}

TEST_F(CrashTest, OfImportAndCopy) {
  ASSERT_TRUE(write_file(folder_ + "/disk.raw", std::string(2 * mib, 'I')));
  at_each_step([] {},
               [&](BlockEngine& engine) {
                 return engine.import_snapshot("snap-1", folder_ + "/disk.raw", {}) && engine.copy_snapshot("snap-2", "snap-1");
               },
               all,
               [&](const std::string& step) {
                 auto again = blocks_->import_snapshot("snap-1", folder_ + "/disk.raw", {});
                 EXPECT_TRUE(again || again.error().kind == ErrorKind::exists) << step;
                 auto copied = blocks_->copy_snapshot("snap-2", "snap-1");
                 EXPECT_TRUE(copied || copied.error().kind == ErrorKind::exists) << step;
                 ASSERT_TRUE(blocks_->remove_snapshot("snap-1"));
                 ASSERT_TRUE(blocks_->clone("vol-1", "snap-2", 0, ""));
                 EXPECT_TRUE(holds("vol-1", 'I')) << step;
                 EXPECT_EQ(layer_count(), 2U) << step;
               });
}

TEST(Sealing, OpensWithItsKeyOnly) {
  SeededRandom random(1);
  const std::string one(sealing_key_size, '1'), other(sealing_key_size, '2');
  const auto sealed = seal(one, "secret", random);
  EXPECT_EQ(unseal(one, sealed), "secret");
  EXPECT_NE(sealed, seal(one, "secret", random));
  EXPECT_FALSE(unseal(other, sealed));
  for (size_t i = 0; i + 4 < sealed.size(); ++i) {
    auto torn = sealed;
    torn[i] = torn[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(unseal(one, torn)) << i;
  }
  EXPECT_FALSE(unseal(one, ""));
  EXPECT_FALSE(unseal(one, "not base64!"));
}

}  // namespace
}  // namespace brume::block
