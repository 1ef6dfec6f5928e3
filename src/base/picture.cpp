#include "base/picture.hpp"

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
// After <cstdio>: it needs FILE.
#include <jpeglib.h>

#include "base/text.hpp"

namespace brume {
namespace {

constexpr std::uint32_t longest_side = 8192;

bool is_pixmap_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// The next word of a pixmap's head; comments run from # to the end of the line.
std::string_view next_word(std::string_view bytes, size_t& at) {
  while (at < bytes.size() && (is_pixmap_space(bytes[at]) || bytes[at] == '#')) {
    if (bytes[at] == '#')
      while (at < bytes.size() && bytes[at] != '\n') ++at;
    else
      ++at;
  }
  const auto from = at;
  while (at < bytes.size() && !is_pixmap_space(bytes[at])) ++at;
  return bytes.substr(from, at - from);
}

// libjpeg ends the program on an error unless an error handler is set.
struct ErrorHandler {
  jpeg_error_mgr manager;  // must be first, because libjpeg hands back its address
  std::jmp_buf back;
  char text[JMSG_LENGTH_MAX];
};

[[noreturn]] void leave(j_common_ptr compress) {
  auto* handler = reinterpret_cast<ErrorHandler*>(compress->err);
  compress->err->format_message(compress, handler->text);
  std::longjmp(handler->back, 1);
}

// Nothing here may have a destructor: the jump out of libjpeg would not run it.
bool compress(const Picture& picture, int quality, ErrorHandler& handler, unsigned char*& file, unsigned long& size) {
  jpeg_compress_struct state;
  state.err = jpeg_std_error(&handler.manager);
  handler.manager.error_exit = leave;
  if (setjmp(handler.back) != 0) {
    jpeg_destroy_compress(&state);
    return false;
  }
  jpeg_create_compress(&state);
  jpeg_mem_dest(&state, &file, &size);
  state.image_width = picture.width;
  state.image_height = picture.height;
  state.input_components = 3;
  state.in_color_space = JCS_RGB;
  jpeg_set_defaults(&state);
  jpeg_set_quality(&state, quality, TRUE);
  jpeg_start_compress(&state, TRUE);
  while (state.next_scanline < state.image_height) {
    const auto* row = picture.pixels.data() + static_cast<size_t>(state.next_scanline) * picture.width * 3;
    auto* line = const_cast<JSAMPLE*>(reinterpret_cast<const JSAMPLE*>(row));
    jpeg_write_scanlines(&state, &line, 1);
  }
  jpeg_finish_compress(&state);
  jpeg_destroy_compress(&state);
  return true;
}

}  // namespace

Result<Picture> parse_pixmap(std::string_view bytes) {
  size_t at = 0;
  if (next_word(bytes, at) != "P6") return fail(ErrorKind::broken, "not a portable pixmap");
  const auto width = parse_integer(next_word(bytes, at));
  const auto height = parse_integer(next_word(bytes, at));
  const auto most = parse_integer(next_word(bytes, at));
  if (!width || !height || *width < 1 || *height < 1 || *width > longest_side || *height > longest_side)
    return fail(ErrorKind::broken, "a pixmap of an impossible size");
  if (!most || *most != 255) return fail(ErrorKind::broken, "a pixmap without 8 bits a colour");
  const auto size = static_cast<size_t>(*width) * static_cast<size_t>(*height) * 3;
  ++at;  // the one white space before the pixels
  if (at > bytes.size() || bytes.size() - at < size) return fail(ErrorKind::broken, "a pixmap that is cut off");
  return Picture{static_cast<std::uint32_t>(*width), static_cast<std::uint32_t>(*height), std::string(bytes.substr(at, size))};
}

Result<std::string> to_jpeg(const Picture& picture, int quality) {
  if (picture.width == 0 || picture.height == 0 || picture.width > longest_side || picture.height > longest_side ||
      picture.pixels.size() != static_cast<size_t>(picture.width) * picture.height * 3)
    return fail(ErrorKind::invalid, "a picture whose pixels do not fit its size");
  ErrorHandler handler{};
  unsigned char* file = nullptr;
  unsigned long size = 0;
  const bool done = compress(picture, quality, handler, file, size);
  std::string out = done ? std::string(reinterpret_cast<const char*>(file), size) : std::string();
  std::free(file);
  if (!done) return fail(ErrorKind::system, std::string("cannot write a JPEG: ") + handler.text);
  return out;
}

}  // namespace brume
