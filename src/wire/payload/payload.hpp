// The body of an S3 request as its head describes it: decoded, and held against everything that was promised about it, while it streams.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "wire/api_error.hpp"
#include "wire/http/server.hpp"
#include "wire/payload/aws_chunked.hpp"

namespace brume::wire {

// What x-amz-content-sha256 says.
enum class PayloadKind {
  unsigned_whole,           // "UNSIGNED-PAYLOAD", or nothing
  hashed,                   // the SHA-256 of the body
  signed_chunks,            // "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
  signed_chunks_trailer,    // "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
  unsigned_chunks_trailer,  // "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
};
// Throws ApiError when it says something else.
PayloadKind payload_kind_of(const HttpRequest& head);

class PayloadBody final : public BodyFilter {
 public:
  // A digest that the body must have: in a header, or in a trailer that comes behind it.
  struct Check {
    DigestKind kind;
    std::string header;    // its name, for the error
    std::string expected;  // raw bytes; empty: the trailer of that name has it, in base64
  };
  PayloadBody(std::shared_ptr<BodySource> inner, std::shared_ptr<AwsChunkedBody> chunks, std::vector<Check> checks,
              const std::vector<DigestKind>& wanted);

  // Once the end has been given: of the decoded body.
  std::uint64_t length() const { return length_; }
  // Raw bytes of a digest that was wanted or checked; empty for others.
  std::string_view digest(DigestKind kind) const;

 private:
  struct Running {
    DigestKind kind;
    RunningDigest digest;
    std::string result;
  };
  std::optional<BodyPiece> next(std::string_view& bytes) override;
  BodyPiece end() override;
  void add(DigestKind kind);

  std::shared_ptr<AwsChunkedBody> chunks_;  // null: not encoded
  std::vector<Check> checks_;
  std::vector<Running> digests_;
  std::uint64_t length_ = 0;
};

// `signing`: of the head's signature; absent: signatures of chunks are not checked, as in a simulation. `wanted`: digests to make besides
// those that have to be checked, such as the MD5 of an ETag. Throws ApiError when the head contradicts itself or asks for what is not
// built.
std::shared_ptr<PayloadBody> open_payload(const HttpRequest& head, std::shared_ptr<BodySource> body, std::optional<ChunkSigning> signing,
                                          const std::vector<DigestKind>& wanted = {});

// S3's answer to a body that is not what its head promised: status, code and sentence.
ApiError payload_error(const BodyError& error);

}  // namespace brume::wire
