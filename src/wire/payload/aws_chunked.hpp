// The content encoding "aws-chunked" of S3: chunks with signatures, and trailers, inside the body of a request.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/crypto.hpp"
#include "base/digests.hpp"
#include "wire/http/body_filter.hpp"
#include "wire/http/chunk_reader.hpp"

namespace brume::wire {

// How chunks are signed: the signature of the head starts a chain in which each chunk's signature covers the previous one.
struct ChunkSigning {
  Sha256 key;             // derived for day, region and service
  std::string time;       // "20130524T000000Z"
  std::string scope;      // "20130524/us-east-1/s3/aws4_request"
  std::string signature;  // of the head, 64 hexadecimal digits
};

// The decoded body. A chunk is passed on while it arrives and verified when it is complete: if its signature is wrong, an error replaces
// its last piece.
class AwsChunkedBody final : public BodyFilter {
 public:
  struct Expected {
    std::optional<ChunkSigning> signing;  // absent: chunks are not signed
    std::optional<std::uint64_t> length;  // x-amz-decoded-content-length
    std::vector<std::string> trailers;    // x-amz-trailer, in lower case: exactly these must follow
  };
  AwsChunkedBody(std::shared_ptr<BodySource> inner, Expected expected);

  // The value of a trailer (name in lower case); nullptr if it was not sent. Valid once the end has been given.
  const std::string* trailer(std::string_view name) const;

 private:
  std::optional<BodyPiece> next(std::string_view& bytes) override;
  BodyPiece end() override;

  std::optional<BodyError> begin_chunk();
  std::optional<BodyError> judge_chunk();
  std::optional<BodyError> take_trailer();
  std::optional<BodyError> judge_end() const;
  bool is_next_signature(std::string_view purpose, const std::string& hashes, std::string_view signature);

  Expected expected_;
  ChunkReader reader_;
  RunningDigest hash_{DigestKind::sha256};
  std::string chunk_signature_;
  std::uint64_t chunk_left_ = 0;
  std::uint64_t length_ = 0;
  bool is_complete_ = false;
  std::vector<std::pair<std::string, std::string>> trailers_;
  std::string trailer_text_;  // the signed text
  std::string trailer_signature_;
};

}  // namespace brume::wire
