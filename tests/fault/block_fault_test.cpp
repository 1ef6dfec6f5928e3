// The engine with real qemu-img: every operation, with one call of the system after another failing. Each try costs a few processes, so one
// call in three is tried; BRUME_FAULT_STRIDE=1 tries all. Its LayerStore alone is tried with all (layers_fault_test.cpp).
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/files.hpp"
#include "base/process.hpp"
#include "engines/block/block_engine.hpp"
#include "fault_home.hpp"

namespace brume::faults {
namespace {

using block::BlockEngine;

constexpr std::uint64_t mib = 1 << 20;
const std::string secret(64, 'k');

void must(const Result<void>& done) { ASSERT_TRUE(done) << done.error().message; }

std::unique_ptr<BlockEngine> engine_in(const std::string& blocks) {
  auto made = block::make_file_block_engine(blocks);
  EXPECT_TRUE(made) << made.error().message;
  return made ? std::move(*made) : nullptr;
}

Result<void> snapshot(BlockEngine& engine, const std::string& id, const std::string& volume, const std::string& key = {}) {
  if (auto moved = engine.prepare_snapshot(volume, ::geteuid(), key); !moved) return fail(moved.error());
  return engine.keep_snapshot(id, volume);
}

// Volumes a (with snapshot), b (a clone), e (encrypted, with snapshot), f (on two files that only it needs), x (whose removal has the
// engine collect) and snapshots of them; a kernel; a disk image.
void prepare(const std::string& folder) {
  const auto engine = engine_in(folder + "/blocks");
  ASSERT_NE(engine, nullptr);
  must(engine->create("vol-a", mib, ""));
  must(engine->write_volume("vol-a", 0, std::string(4096, 'a'), ""));
  must(snapshot(*engine, "snap-a", "vol-a"));
  must(engine->write_volume("vol-a", 4096, std::string(4096, 'A'), ""));
  must(engine->clone("vol-b", "snap-a", mib, ""));
  must(engine->copy_snapshot("snap-b", "snap-a"));
  // Its key's derivation is measured, which a busy host may keep from an end.
  auto encrypted = engine->create("vol-e", mib, secret);
  for (int tries = 1; !encrypted && tries < 5; ++tries) encrypted = engine->create("vol-e", mib, secret);
  must(encrypted);
  must(snapshot(*engine, "snap-e", "vol-e", secret));
  must(engine->create("vol-f", mib, ""));
  must(engine->write_volume("vol-f", 0, std::string(4096, 'f'), ""));
  must(snapshot(*engine, "snap-f", "vol-f"));
  must(engine->write_volume("vol-f", 65536, std::string(4096, 'F'), ""));
  must(engine->remove_snapshot("snap-f"));
  must(engine->create("vol-x", mib, ""));
  std::string raw(mib, '\0');
  raw.replace(65536, 5, "brume");
  must(write_file(folder + "/disk.raw", raw));
  must(write_file(folder + "/kernel", "a kernel"));
  must(engine->import_boot_file("aki-1", folder + "/kernel"));
}

class BlockFault : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    home_ = new FaultHome(
        {[] { engine_ = engine_in(home_->blocks()); }, [] { [[maybe_unused]] const auto gone = engine_->remove_volume("vol-x"); },
         [] { engine_.reset(); }, "volumes/vol-x"},
        prepare);
  }
  static void TearDownTestSuite() {
    delete home_;
    home_ = nullptr;
    std::printf("%d calls of the system failed in all\n", points_);
  }
  void expect_all_survive(const FaultHome::Operation& operation, int slower = 1) {
    const char* stride = std::getenv("BRUME_FAULT_STRIDE");
    const int points = home_->try_all(operation, 0, stride != nullptr ? std::max(1, std::atoi(stride)) : 3 * slower);
    std::printf("%s: %d calls failed\n", operation.name.c_str(), points);
    RecordProperty("injected", points);
    EXPECT_GT(points, 0);
    points_ += points;
  }
  static void expect_bytes(const std::string& id, std::uint64_t offset, const std::string& bytes) {
    const auto read = engine_->read(id, offset, 512, "");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->substr(0, bytes.size()), bytes) << id;
  }

  static FaultHome* home_;
  static std::unique_ptr<BlockEngine> engine_;
  static int points_;
};

FaultHome* BlockFault::home_ = nullptr;
std::unique_ptr<BlockEngine> BlockFault::engine_;
int BlockFault::points_ = 0;

TEST_F(BlockFault, Create) {
  expect_all_survive({"create", [] { return engine_->create("vol-n", mib, ""); }, {"volumes/vol-n"}});
}

TEST_F(BlockFault, Clone) {
  expect_all_survive({"clone", [] { return engine_->clone("vol-n", "snap-a", mib, ""); }, {"volumes/vol-n"}});
}

TEST_F(BlockFault, CloneOfAnEncryptedOne) {
  expect_all_survive({"clone, encrypted", [] { return engine_->clone("vol-n", "snap-e", mib, secret); }, {"volumes/vol-n"}});
}

TEST_F(BlockFault, Snapshot) {
  expect_all_survive({"snapshot", [] { return snapshot(*engine_, "snap-n", "vol-a"); }, {"snapshots/snap-n", "volumes/vol-a"}});
}

TEST_F(BlockFault, SnapshotOfAnEncryptedOne) {
  expect_all_survive(
      {"snapshot, encrypted", [] { return snapshot(*engine_, "snap-n", "vol-e", secret); }, {"snapshots/snap-n", "volumes/vol-e"}});
}

TEST_F(BlockFault, Copy) {
  expect_all_survive({"copy", [] { return engine_->copy_snapshot("snap-n", "snap-a"); }, {"snapshots/snap-n"}});
}

TEST_F(BlockFault, EncryptedCopy) {
  expect_all_survive({"copy, to be encrypted", [] { return engine_->copy_snapshot("snap-n", "snap-a", secret); }, {"snapshots/snap-n"}}, 4);
}

TEST_F(BlockFault, Removals) {
  expect_all_survive({"removal of a volume", [] { return engine_->remove_volume("vol-b"); }, {}, {"volumes/vol-b"}});
  expect_all_survive({"removal of a snapshot", [] { return engine_->remove_snapshot("snap-a"); }, {}, {"snapshots/snap-a"}});
}

TEST_F(BlockFault, Open) {
  expect_all_survive({"open", []() -> Result<void> {
                        auto opened = engine_->open("vol-b", ::geteuid());
                        if (!opened) return fail(opened.error());
                        return {};
                      }});
}

TEST_F(BlockFault, Resize) {
  expect_all_survive({"resize",
                      [] { return engine_->resize("vol-a", 2 * mib, ""); },
                      {"volumes/vol-a"},
                      {},
                      {"volumes/vol-a"},
                      [] {
                        EXPECT_EQ(engine_->usage("vol-a").value_or(block::Usage()).virtual_bytes, 2 * mib);
                        expect_bytes("vol-a", 4096, "AAAA");
                      }});
}

TEST_F(BlockFault, Write) {
  expect_all_survive({"write",
                      [] { return engine_->write_volume("vol-b", 0, std::string(512, 'w'), ""); },
                      {"volumes/vol-b"},
                      {},
                      {"volumes/vol-b"},
                      [] { expect_bytes("vol-b", 0, "wwww"); }});
}

TEST_F(BlockFault, Fold) {
  expect_all_survive({"fold",
                      []() -> Result<void> {
                        const auto folds = engine_->foldable();
                        if (!folds) return fail(folds.error());
                        for (const auto& each : *folds)
                          if (auto done = engine_->fold(each, "", {}); !done) return done;
                        return {};
                      },
                      {"volumes/vol-f"},
                      {},
                      {"volumes/vol-f"},
                      [] {
                        expect_bytes("vol-f", 0, "ffff");
                        expect_bytes("vol-f", 65536, "FFFF");
                      }});
}

TEST_F(BlockFault, Import) {
  expect_all_survive({"import",
                      []() -> Result<void> {
                        auto imported = engine_->import_snapshot("snap-n", home_->folder() + "/disk.raw", {});
                        if (!imported) return fail(imported.error());
                        return {};
                      },
                      {"snapshots/snap-n"},
                      {},
                      {},
                      [] { expect_bytes("snap-n", 65536, "brume"); }});
}

TEST_F(BlockFault, BootFiles) {
  expect_all_survive({"import of a boot file",
                      [] { return engine_->import_boot_file("aki-2", home_->folder() + "/kernel"); },
                      {},
                      {},
                      {},
                      [] { EXPECT_EQ(read_file(engine_->boot_file("aki-2").value_or("")).value_or(""), "a kernel"); }});
  expect_all_survive({"removal of a boot file",
                      [] { return engine_->remove_boot_file("aki-1"); },
                      {},
                      {},
                      {},
                      [] { EXPECT_EQ(engine_->boot_file("aki-1").error().kind, ErrorKind::not_found); }});
}

TEST_F(BlockFault, StartAndSweep) {
  expect_all_survive({"start and sweep", []() -> Result<void> {
                        auto made = block::make_file_block_engine(home_->blocks());
                        if (!made) return fail(made.error());
                        engine_ = std::move(*made);
                        auto swept = engine_->sweep([](const std::string& id) { return id != "vol-x"; }, Time{}, milliseconds(0));
                        if (!swept) return fail(swept.error());
                        return {};
                      }});
}

TEST_F(BlockFault, StoreOfAnInstance) {
  expect_all_survive({"store of an instance",
                      [] { return engine_->create_store("i-1-ephemeral0", 64 * mib, block::StoreContent::swap, "ephemeral0"); },
                      {"volumes/i-1-ephemeral0"}});
}

}  // namespace
}  // namespace brume::faults
