#include "engines/compute/password_watch.hpp"

#include <gtest/gtest.h>

namespace brume::compute {
namespace {

TEST(PasswordWatch, FindsWhatWindowsPosts) {
  PasswordWatch watch;
  EXPECT_EQ(
      watch.feed(
          "2011/12/01 13:00:00Z: Message: ...\r\n<Username>Administrator</Username>\r\n<Password>\r\nQUJD\r\nREVG\r\n</Password>\r\n"),
      "QUJDREVG");
  EXPECT_EQ(watch.feed("more"), std::nullopt);
}

TEST(PasswordWatch, TakesTheGuidesSpellingToo) { EXPECT_EQ(PasswordWatch().feed("<password>QUJD</password>"), "QUJD"); }

TEST(PasswordWatch, FindsItWhereverItIsCut) {
  const std::string text = "noise <Pass <Password>QUJDREVGR0g=</Password> noise";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    PasswordWatch watch;
    const auto first = watch.feed(text.substr(0, cut));
    const auto second = watch.feed(text.substr(cut));
    EXPECT_EQ(first ? *first : second.value_or(""), "QUJDREVGR0g=") << cut;
    EXPECT_FALSE(first && second) << cut;
  }
  PasswordWatch slowly;
  std::string found;
  for (const char c : text)
    if (const auto now = slowly.feed(std::string(1, c))) found += *now;
  EXPECT_EQ(found, "QUJDREVGR0g=");
}

TEST(PasswordWatch, TheLastOfSeveralCounts) {
  PasswordWatch watch;
  EXPECT_EQ(watch.feed("<Password>QUJD</Password><Password>REVG</Password>"), "REVG");
  EXPECT_EQ(watch.feed("<Password>R0hJ</Password>"), "R0hJ");
}

TEST(PasswordWatch, WhatIsNoPasswordIsNone) {
  for (const auto* text : {"<Password></Password>", "<Password> \r\n </Password>", "<Password>not base64!</Password>", "<Password>QUJD",
                           "</Password>QUJD<Password>", "<Password>A</Password>"})
    EXPECT_EQ(PasswordWatch().feed(text), std::nullopt) << text;
}

TEST(PasswordWatch, AnOpeningTagThatNeverEndsIsGivenUp) {
  PasswordWatch watch;
  EXPECT_EQ(watch.feed("<Password>" + std::string(100'000, 'x')), std::nullopt);
  EXPECT_EQ(watch.feed("<Password>QUJD</Password>"), "QUJD");
}

TEST(PasswordWatch, AWrongOneBeforeTheRightOneDoesNotHideIt) {
  EXPECT_EQ(PasswordWatch().feed("<Password>cut off by a reboot\r\n<Password>QUJD</Password>"), "QUJD");
}

}  // namespace
}  // namespace brume::compute
