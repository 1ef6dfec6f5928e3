#include "daemon/image_builds.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "base/files.hpp"

namespace brume::daemon {
namespace {

namespace fs = std::filesystem;

// A host with one cache and a recipe that counts how often it ran.
class ImageBuildsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/brume-image-builds-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
    write_recipe("made", "echo run >>" + folder_ + "/runs; mkdir -p \"$1\"; echo {} >\"$1/image.json\"");
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write_recipe(const std::string& name, const std::string& commands) {
    const auto program = folder_ + "/recipes/" + name + "/build";
    fs::create_directories(fs::path(program).parent_path());
    std::ofstream(program) << "#!/bin/bash\n" << commands << "\n";
    fs::permissions(program, fs::perms::owner_all);
  }

  ImageBuilds::Parts parts(const std::string& home, std::promise<std::string>& added) {
    fs::create_directories(folder_ + "/" + home);
    return {folder_ + "/" + home, folder_ + "/cache", clock_, [&added](const std::string& from) -> Result<std::string> {
              added.set_value(from);
              return "ami-1";
            }};
  }

  ImageBuild wish(const std::string& recipe) {
    ImageBuild build;
    build.recipe = recipe;
    build.recipes = folder_ + "/recipes";
    return build;
  }

  std::string runs() { return read_file(folder_ + "/runs").value_or(""); }

  std::string folder_;
  SystemClock clock_;
};

TEST_F(ImageBuildsTest, TwoHomesBuildARecipeOnce) {
  std::promise<std::string> first, second;
  ImageBuilds one(parts("one", first));
  ASSERT_TRUE(one.want(wish("made")));
  const auto from = first.get_future().get();
  ImageBuilds other(parts("other", second));
  ASSERT_TRUE(other.want(wish("made")));
  EXPECT_EQ(second.get_future().get(), from);
  EXPECT_EQ(runs(), "run\n");
}

TEST_F(ImageBuildsTest, AChangedRecipeIsBuiltAnew) {
  std::promise<std::string> first, second;
  ImageBuilds one(parts("one", first));
  ASSERT_TRUE(one.want(wish("made")));
  const auto from = first.get_future().get();
  write_recipe("made", "echo other >>" + folder_ + "/runs; mkdir -p \"$1\"; echo {} >\"$1/image.json\"");
  ImageBuilds other(parts("other", second));
  ASSERT_TRUE(other.want(wish("made")));
  EXPECT_NE(second.get_future().get(), from);
  EXPECT_EQ(runs(), "run\nother\n");
}

TEST_F(ImageBuildsTest, ABuildThatWasCutOffIsDoneAtTheNextStart) {
  ASSERT_EQ(::mkfifo((folder_ + "/began").c_str(), 0600), 0);
  // The first run says that it began and never ends.
  write_recipe("made", "if mkdir " + folder_ + "/once; then echo >" + folder_ + "/began; sleep 1000; fi; echo {} >\"$1/image.json\"");
  std::promise<std::string> never, added;
  {
    ImageBuilds builds(parts("home", never));
    ASSERT_TRUE(builds.want(wish("made")));
    std::string line;
    std::ifstream began(folder_ + "/began");
    std::getline(began, line);
    ASSERT_EQ(builds.list().front().state, "building");
  }
  EXPECT_TRUE(path_exists(folder_ + "/home/images/made.wanted"));
  {
    ImageBuilds builds(parts("home", added));
    builds.resume();
    added.get_future().get();
  }
  EXPECT_FALSE(path_exists(folder_ + "/home/images/made.wanted"));
}

TEST_F(ImageBuildsTest, WhatANewerImageSupersededIsRemovedAfterAWeek) {
  const auto put = [&](const std::string& name, int days) {
    const auto place = folder_ + "/cache/" + name;
    fs::create_directories(place);
    std::ofstream(place + "/image.json") << "{}";
    fs::last_write_time(place + "/image.json", fs::file_time_type::clock::now() - std::chrono::hours(24 * days));
    return place;
  };
  const auto old = put("made-0123456789abcdef", 8);
  const auto young = put("made-fedcba9876543210", 6);
  const auto other = put("made-up-0123456789abcdef", 8);  // of another recipe
  const auto foreign = put("made-by-hand", 8);
  std::promise<std::string> added;
  ImageBuilds builds(parts("home", added));
  ASSERT_TRUE(builds.want(wish("made")));
  EXPECT_TRUE(fs::exists(added.get_future().get()));
  EXPECT_FALSE(fs::exists(old));
  for (const auto& kept : {young, other, foreign}) EXPECT_TRUE(fs::exists(kept)) << kept;
}

TEST_F(ImageBuildsTest, ThereIsNoSuchRecipe) {
  std::promise<std::string> never;
  ImageBuilds builds(parts("home", never));
  for (const char* name : {"nosuch", "../made", "", ".hidden"}) {
    const auto wanted = builds.want(wish(name));
    ASSERT_FALSE(wanted) << name;
    EXPECT_EQ(wanted.error().kind, ErrorKind::not_found);
  }
  EXPECT_TRUE(builds.list().empty());
}

}  // namespace
}  // namespace brume::daemon
