// A text that is compared with a file of this folder. BRUME_UPDATE_GOLDEN=1 writes the files anew.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/files.hpp"

namespace brume {

// `name` is a path below tests/golden.
inline void expect_golden(const std::string& name, const std::string& text) {
  const auto path = std::string(BRUME_GOLDEN_FOLDER) + "/" + name;
  if (std::getenv("BRUME_UPDATE_GOLDEN") != nullptr) {
    ASSERT_TRUE(write_file(path, text, 0644));
  }
  const auto golden = read_file(path);
  ASSERT_TRUE(golden) << path << " is missing: run with BRUME_UPDATE_GOLDEN=1";
  EXPECT_EQ(text, *golden) << path;
}

}  // namespace brume
