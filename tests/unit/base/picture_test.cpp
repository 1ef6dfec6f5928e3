#include "base/picture.hpp"

#include <gtest/gtest.h>

namespace brume {
namespace {

Picture striped(std::uint32_t width, std::uint32_t height) {
  Picture picture{width, height, {}};
  for (std::uint32_t y = 0; y < height; ++y)
    for (std::uint32_t x = 0; x < width; ++x)
      picture.pixels += y % 2 == 0 ? std::string("\xff\x00\x00", 3) : std::string("\x00\x00\xff", 3);
  return picture;
}

TEST(Picture, ReadsAPixmap) {
  const auto picture = parse_pixmap(std::string("P6\n# QEMU\n2 1\n255\n") + "abcdef");
  ASSERT_TRUE(picture) << picture.error().message;
  EXPECT_EQ(picture->width, 2U);
  EXPECT_EQ(picture->height, 1U);
  EXPECT_EQ(picture->pixels, "abcdef");
}

TEST(Picture, RefusesWhatIsNone) {
  for (const auto* text : {"", "P6", "P5\n1 1\n255\nabc", "P6\n1 1\n255\nab", "P6\n0 1\n255\n", "P6\n1 1\n65535\nabcdef",
                           "P6\n99999 99999\n255\n", "P6\nx 1\n255\nabc", "P6\n1 1\n255"})
    EXPECT_FALSE(parse_pixmap(text)) << text;
}

TEST(Picture, WritesAJpegOfItsSize) {
  const auto file = to_jpeg(striped(37, 11));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->substr(0, 3), "\xff\xd8\xff");
  EXPECT_EQ(file->substr(file->size() - 2), "\xff\xd9");
  // The start of frame: marker, length, precision, height, width.
  const auto frame = file->find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  EXPECT_EQ(file->substr(frame + 5, 4), std::string("\0\x0b\0\x25", 4));
  EXPECT_GT(to_jpeg(striped(200, 200), 95)->size(), to_jpeg(striped(200, 200), 10)->size());
}

TEST(Picture, RefusesPixelsThatDoNotFit) {
  EXPECT_FALSE(to_jpeg(Picture{}));
  EXPECT_FALSE(to_jpeg(Picture{2, 2, "short"}));
}

}  // namespace
}  // namespace brume
