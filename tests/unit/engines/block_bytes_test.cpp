// Bytes of snapshots read, compared and written without a machine: the same of both engines.
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>

#include "engines/block/block_access.hpp"
#include "engines/block/block_engine.hpp"

namespace brume::block {
namespace {

constexpr std::uint64_t mib = 1ULL << 20;
constexpr std::uint64_t piece = 64 << 10;
using Extents = std::vector<Extent>;

enum class Kind { files, encrypted_files, simulated };

class BlockBytesTest : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam() == Kind::simulated) {
      blocks_ = make_simulated_block_engine();
      return;
    }
    char name[] = "/tmp/brume-bytes-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
    auto made = make_file_block_engine(folder_ + "/blocks");
    ASSERT_TRUE(made) << made.error().message;
    blocks_ = std::move(*made);
    if (GetParam() == Kind::encrypted_files) key_ = std::string(64, 'k');
  }
  void TearDown() override {
    blocks_.reset();
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }
  void write(const std::string& volume_id, std::uint64_t offset, char letter, std::uint64_t bytes = piece) {
    const auto written = blocks_->write_volume(volume_id, offset, std::string(bytes, letter), key_);
    EXPECT_TRUE(written) << written.error().message;
  }
  char letter_at(const std::string& id, std::uint64_t offset) {
    const auto read = blocks_->read(id, offset, 1024, key_);
    EXPECT_TRUE(read) << read.error().message;
    return read && *read == std::string(1024, read->front()) ? read->front() : '?';
  }
  void snapshot(const std::string& snapshot_id, const std::string& volume_id) {
    ASSERT_TRUE(blocks_->prepare_snapshot(volume_id, ::geteuid(), key_));
    ASSERT_TRUE(blocks_->keep_snapshot(snapshot_id, volume_id));
  }

  std::string folder_;
  std::string key_;
  std::unique_ptr<BlockEngine> blocks_;
};

TEST_P(BlockBytesTest, WhatIsWrittenIsReadAndTheRestIsZeroes) {
  ASSERT_TRUE(blocks_->create("vol-1", 8 * mib, key_));
  write("vol-1", mib, 'A', mib);
  write("vol-1", 8 * mib - piece, 'Z');
  EXPECT_EQ(letter_at("vol-1", mib), 'A');
  EXPECT_EQ(letter_at("vol-1", 2 * mib - 1024), 'A');
  EXPECT_EQ(letter_at("vol-1", 2 * mib), '\0');
  EXPECT_EQ(letter_at("vol-1", 8 * mib - 1024), 'Z');
  EXPECT_EQ(letter_at("vol-1", 9 * mib), '\0') << "behind the end";
  EXPECT_EQ(*blocks_->read("vol-1", 8 * mib - 512, 1024, key_), std::string(512, 'Z') + std::string(512, '\0'));
  EXPECT_EQ(blocks_->write_volume("vol-1", 8 * mib - 512, std::string(1024, 'x'), key_).error().kind, ErrorKind::invalid);
  EXPECT_EQ(blocks_->write_volume("vol-2", 0, "ab", key_).error().kind, ErrorKind::not_found);
  EXPECT_EQ(blocks_->read("vol-2", 0, 1, key_).error().kind, ErrorKind::not_found);
}

TEST_P(BlockBytesTest, ASnapshotKeepsItsBytesAndTellsWhereTheyAre) {
  ASSERT_TRUE(blocks_->create("vol-1", 8 * mib, key_));
  write("vol-1", 0, 'A');
  write("vol-1", 4 * mib, 'B', 2 * piece);
  snapshot("snap-1", "vol-1");
  write("vol-1", 0, 'C');
  write("vol-1", 6 * mib, 'D');
  EXPECT_EQ(letter_at("snap-1", 0), 'A');
  EXPECT_EQ(letter_at("vol-1", 0), 'C');
  EXPECT_EQ(*blocks_->snapshot_extents("snap-1", key_), (Extents{{0, piece}, {4 * mib, 2 * piece}}));
  EXPECT_EQ(*blocks_->written_extents("vol-1", key_), (Extents{{0, piece}, {6 * mib, piece}})) << "since the snapshot";
  snapshot("snap-2", "vol-1");
  EXPECT_TRUE(blocks_->written_extents("vol-1", key_)->empty());
  const auto changed = blocks_->changed_extents("snap-2", "snap-1", key_);
  ASSERT_TRUE(changed) << changed.error().message;
  EXPECT_TRUE(changed->related);
  EXPECT_EQ(changed->extents, (Extents{{0, piece}, {6 * mib, piece}}));
  EXPECT_EQ(blocks_->changed_extents("snap-1", "snap-2", key_)->extents, changed->extents) << "the other way round";
  EXPECT_TRUE(blocks_->changed_extents("snap-1", "snap-1", key_)->extents.empty());
  EXPECT_EQ(blocks_->changed_extents("snap-1", "snap-9", key_).error().kind, ErrorKind::not_found);
  EXPECT_EQ(blocks_->snapshot_extents("snap-9", key_).error().kind, ErrorKind::not_found);
}

TEST_P(BlockBytesTest, TwoThatWentApartDifferOnBothSides) {
  ASSERT_TRUE(blocks_->create("vol-1", 8 * mib, key_));
  write("vol-1", 0, 'A');
  snapshot("snap-1", "vol-1");
  for (const char letter : {'2', '3'}) {
    const auto id = std::string("vol-") + letter;
    ASSERT_TRUE(blocks_->clone(id, "snap-1", 0, key_));
    EXPECT_TRUE(blocks_->written_extents(id, key_)->empty());
    write(id, static_cast<std::uint64_t>(letter - '0') * mib, letter);
    snapshot(std::string("snap-") + letter, id);
  }
  const auto changed = blocks_->changed_extents("snap-2", "snap-3", key_);
  ASSERT_TRUE(changed);
  EXPECT_TRUE(changed->related);
  EXPECT_EQ(changed->extents, (Extents{{2 * mib, piece}, {3 * mib, piece}}));
}

TEST_P(BlockBytesTest, StrangersAreTold) {
  for (const auto* number : {"1", "2"}) {
    ASSERT_TRUE(blocks_->create(std::string("vol-") + number, 8 * mib, key_));
    write(std::string("vol-") + number, mib, *number);
    snapshot(std::string("snap-") + number, std::string("vol-") + number);
  }
  const auto changed = blocks_->changed_extents("snap-1", "snap-2", key_);
  ASSERT_TRUE(changed);
  EXPECT_FALSE(changed->related);
  EXPECT_EQ(changed->extents, (Extents{{mib, piece}}));
}

INSTANTIATE_TEST_SUITE_P(
    Engines, BlockBytesTest, ::testing::Values(Kind::files, Kind::encrypted_files, Kind::simulated), [](const auto& kind) {
      return std::string(kind.param == Kind::files ? "Files" : kind.param == Kind::simulated ? "Simulated" : "EncryptedFiles");
    });

TEST(MergeExtents, TouchingAndOverlappingOnesAreOne) {
  EXPECT_EQ(merge_extents({{30, 10}, {0, 10}, {10, 5}, {32, 2}, {38, 4}}), (Extents{{0, 15}, {30, 12}}));
  EXPECT_TRUE(merge_extents({}).empty());
}

}  // namespace
}  // namespace brume::block
