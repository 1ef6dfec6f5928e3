// Copies on file systems that share blocks and on those that do not. A real xfs is in tests/system/storage_test.py.
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>

#include "base/files.hpp"
#include "block_fixture.hpp"
#include "engines/block/shared_blocks.hpp"

namespace brume::block {
namespace {

class SharedBlocks : public BlockFixture {
 protected:
  void SetUp() override {
    BlockFixture::SetUp();
    ASSERT_TRUE(write_file(folder_ + "/from", std::string(100'000, 'x') + "end", 0644));
  }
  std::string from() const { return folder_ + "/from"; }
  std::string to() const { return folder_ + "/to"; }
};

TEST_F(SharedBlocks, WhereTheyCannotBeSharedBytesAreCopied) {
  for (const int trouble : {EOPNOTSUPP, EXDEV, EINVAL}) {
    int asked = 0;
    const auto refuse = [&](int, int) { return ++asked, trouble; };
    EXPECT_FALSE(can_share_blocks(from(), folder_, refuse));
    const auto copied = copy_file(from(), to(), refuse);
    ASSERT_TRUE(copied) << copied.error().message;
    EXPECT_EQ(asked, 2);
    EXPECT_EQ(*read_file(to(), 1 << 20), *read_file(from(), 1 << 20));
    std::filesystem::remove(to());
  }
}

TEST_F(SharedBlocks, WhereTheyCanNothingIsCopied) {
  const auto share = [](int target, int) { return ::write(target, "shared", 6) == 6 ? 0 : EIO; };
  EXPECT_TRUE(can_share_blocks(from(), folder_, share));
  ASSERT_TRUE(copy_file(from(), to(), share));
  EXPECT_EQ(*read_file(to(), 1 << 20), "shared");
}

TEST_F(SharedBlocks, WhatIsThereIsNotWrittenOver) {
  ASSERT_TRUE(write_file(to(), "mine", 0644));
  EXPECT_FALSE(copy_file(from(), to()));
  EXPECT_EQ(*read_file(to(), 1 << 20), "mine");
  EXPECT_FALSE(copy_file(folder_ + "/nothing", folder_ + "/new"));
  EXPECT_FALSE(path_exists(folder_ + "/new"));
  EXPECT_FALSE(can_share_blocks(folder_ + "/nothing", folder_));
}

}  // namespace
}  // namespace brume::block
