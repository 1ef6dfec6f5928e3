// Which bytes of a representation a request asks for (RFC 9110, 14).
#pragma once

#include <cstdint>
#include <string_view>

namespace brume::wire {

struct RangeChoice {
  enum class Kind {
    whole,          // no Range, a malformed one, another unit, or several ranges: everything is sent, as the RFC allows
    part,           // first and length: 206
    unsatisfiable,  // 416
  };
  Kind kind = Kind::whole;
  std::uint64_t first = 0;
  std::uint64_t length = 0;
};

// `range`: the header's value, "bytes=0-499", "bytes=500-", "bytes=-500". `size`: of the whole.
RangeChoice choose_range(std::string_view range, std::uint64_t size);

}  // namespace brume::wire
