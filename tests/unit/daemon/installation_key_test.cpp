#include "daemon/installation_key.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/files.hpp"

namespace brume::daemon {
namespace {

TEST(InstallationKey, IsMadeOnceAndHasItsLength) {
  std::string folder = testing::TempDir() + "brume-key-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const auto path = folder + "/metadata.key";
  SeededRandom random{7};
  const auto made = load_key(path, random);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->size(), 32U);
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(load_key(path, random).value(), *made);
  for (const size_t length : {0U, 1U, 31U, 33U, 4000U}) {
    ASSERT_TRUE(write_file(path, std::string(length, 'k'), 0600));
    const auto read = load_key(path, random);
    ASSERT_FALSE(read) << length;
    EXPECT_EQ(read.error().kind, ErrorKind::broken);
    EXPECT_NE(read.error().message.find("metadata.key"), std::string::npos);
    EXPECT_EQ(read_file(path).value().size(), length) << "it is left as it is";
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace brume::daemon
