// A picture in memory: read from a portable pixmap, written as a JPEG file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace brume {

struct Picture {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::string pixels;  // red, green, blue, row by row from the top: width * height * 3 bytes
};

// A binary portable pixmap (P6) with 8 bits per colour. `broken`: it is something else, is cut off, or is larger than 8192 × 8192.
Result<Picture> parse_pixmap(std::string_view bytes);

// A JPEG file. `quality` from 1 to 100.
Result<std::string> to_jpeg(const Picture& picture, int quality = 85);

}  // namespace brume
