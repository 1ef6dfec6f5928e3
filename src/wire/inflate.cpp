#include "wire/inflate.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>

#include "base/text.hpp"

namespace brume::wire {
namespace {

constexpr int gzip_only = 16 + MAX_WBITS;

class GzipReader {
 public:
  GzipReader(const Call& call, std::string_view packed, const InflateLimits& limits) : call_(call), limits_(limits) {
    // zlib's interface takes input that it does not change as not const.
    stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(packed.data()));
    stream_.avail_in = static_cast<uInt>(packed.size());
    if (inflateInit2(&stream_, gzip_only) != Z_OK) throw internal_error();
  }
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;
  ~GzipReader() { inflateEnd(&stream_); }

  void unpack(std::string& out) {
    for (size_t members = 1;; ++members) {
      if (members > limits_.members) refuse(fmt::format("has more than {} gzip members.", limits_.members));
      unpack_member(out);
      if (stream_.avail_in == 0) return;
      if (inflateReset(&stream_) != Z_OK) throw internal_error();
    }
  }

 private:
  [[noreturn]] void refuse(std::string_view why) const {
    throw call_.codec->refuse(Trouble::malformed_body, fmt::format("The compressed body {}", why));
  }

  void unpack_member(std::string& out) {
    constexpr size_t step = 64 << 10;
    for (int result = Z_OK; result != Z_STREAM_END;) {
      // One byte beyond the limit tells that there is more.
      const size_t room = std::min(step, limits_.bytes + 1 - out.size());
      const size_t before = out.size();
      out.resize(before + room);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + before);
      stream_.avail_out = static_cast<uInt>(room);
      result = inflate(&stream_, Z_NO_FLUSH);
      out.resize(before + room - stream_.avail_out);
      if (out.size() > limits_.bytes)
        throw ApiError(413, "RequestEntityTooLarge", fmt::format("The body is larger than {} bytes when it is unpacked.", limits_.bytes));
      if (result == Z_BUF_ERROR || (result == Z_OK && stream_.avail_in == 0 && stream_.avail_out != 0)) refuse("is cut off.");
      if (result != Z_OK && result != Z_STREAM_END) refuse("is not gzip, or does not match its checksum.");
    }
  }

  const Call& call_;
  InflateLimits limits_;
  z_stream stream_{};
};

}  // namespace

std::string_view plain_body(const Call& call, std::string& storage, const InflateLimits& limits) {
  const auto coding = trim(call.request.header("content-encoding"));
  if (coding.empty() || equals_ignoring_case(coding, "identity")) return call.request.body;
  if (!equals_ignoring_case(coding, "gzip"))
    throw ApiError(415, "UnsupportedMediaType", "The Content-Encoding of a request is gzip, or there is none.");
  storage.clear();
  GzipReader(call, call.request.body, limits).unpack(storage);
  return storage;
}

}  // namespace brume::wire
