// Bodies of requests that came compressed (Content-Encoding: gzip), as SDKs send large ones. Only the request of a known sender is
// unpacked, since signatures are made over the compressed bytes, and never into more than a fixed size. The one file that knows zlib.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "wire/codec/codec.hpp"

namespace brume::wire {

struct InflateLimits {
  size_t bytes = 2 << 20;  // of the unpacked body
  size_t members = 16;     // gzip streams one after another, which RFC 1952 allows
};

// The body of the call's request as its codec reads it: as it came, or unpacked into `storage`. Throws ApiError: 415 for another coding,
// 413 for a body beyond the limit, and what the protocol calls a malformed body for one that is no gzip, is cut off or does not match its
// checksum.
std::string_view plain_body(const Call& call, std::string& storage, const InflateLimits& limits = {});

}  // namespace brume::wire
