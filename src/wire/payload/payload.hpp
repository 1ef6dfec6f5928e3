// The body of an S3 request, decoded as its head describes and verified against every length, checksum and signature that the head
// announces, while it streams.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "wire/api_error.hpp"
#include "wire/http/server.hpp"
#include "wire/payload/aws_chunked.hpp"

namespace brume::wire {

// The meaning of x-amz-content-sha256.
enum class PayloadKind {
  unsigned_whole,           // "UNSIGNED-PAYLOAD", or nothing
  hashed,                   // the SHA-256 of the body
  signed_chunks,            // "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
  signed_chunks_trailer,    // "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
  unsigned_chunks_trailer,  // "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
};
// Throws ApiError for any other value.
PayloadKind payload_kind_of(const HttpRequest& head);

class PayloadBody final : public BodyFilter {
 public:
  // A digest that the body must have: given in a header, or in a trailer after the body.
  struct Check {
    DigestKind kind;
    std::string header;    // its name, for the error
    std::string expected;  // raw bytes; empty: it is in the trailer of that name, in base64
  };
  PayloadBody(std::shared_ptr<BodySource> inner, std::shared_ptr<AwsChunkedBody> chunks, std::vector<Check> checks,
              const std::vector<DigestKind>& wanted);

  // The length of the decoded body. Valid once the end has been given.
  std::uint64_t length() const { return length_; }
  // The raw bytes of a digest that was requested or checked; empty for others.
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

// `signing`: from the head's signature; absent: chunk signatures are not checked, as in a simulation. `wanted`: digests to compute besides
// those that must be checked, such as the MD5 of an ETag. Throws ApiError if the head contradicts itself or asks for something that is not
// supported.
std::shared_ptr<PayloadBody> open_payload(const HttpRequest& head, std::shared_ptr<BodySource> body, std::optional<ChunkSigning> signing,
                                          const std::vector<DigestKind>& wanted = {});

// S3's answer to a body that does not match its head: status, code and sentence.
ApiError payload_error(const BodyError& error);

}  // namespace brume::wire
