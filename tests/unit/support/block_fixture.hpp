// A file engine with real qemu-img in a folder of the test's own.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "engines/block/block_engine.hpp"

namespace brume::block {

constexpr std::uint64_t mib = 1ULL << 20;

class BlockFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/brume-blocks-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
    make();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // As after a start of the daemon.
  void make(StepHook hook = {}) {
    auto made = make_file_block_engine(folder_ + "/blocks", std::move(hook));
    ASSERT_TRUE(made) << made.error().message;
    blocks_ = std::move(*made);
  }
  std::string layers() const { return folder_ + "/blocks/layers"; }
  // The file that the link of a volume or snapshot leads to.
  std::string file_of(const std::string& link) const { return std::filesystem::canonical(folder_ + "/blocks/" + link).string(); }

  std::string folder_;
  std::unique_ptr<BlockEngine> blocks_;
};

}  // namespace brume::block
