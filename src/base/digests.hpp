// Digests and checksums of bytes that arrive piece by piece. For complete texts: crypto.hpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace brume {

enum class DigestKind { md5, sha1, sha256, crc32, crc32c, crc64nvme };

// Threads: one at a time.
class RunningDigest {
 public:
  explicit RunningDigest(DigestKind kind);
  ~RunningDigest();
  RunningDigest(RunningDigest&&) noexcept;
  RunningDigest& operator=(RunningDigest&&) noexcept;

  void put(std::string_view bytes);
  // Returns the raw bytes of the digest (a checksum's most significant byte first) and starts over.
  std::string finish();

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

// "md5", "sha256", "crc64nvme"…
std::string_view name_of(DigestKind kind);

}  // namespace brume
