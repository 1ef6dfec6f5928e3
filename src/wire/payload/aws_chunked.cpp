#include "wire/payload/aws_chunked.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace brume::wire {
namespace {

using Kind = BodyError::Kind;

constexpr std::string_view signature_extension = "chunk-signature=";
constexpr std::string_view signature_trailer = "x-amz-trailer-signature";
constexpr std::string_view hash_of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

BodyError malformed_chunks(std::string sentence) { return {Kind::malformed, std::move(sentence)}; }

}  // namespace

AwsChunkedBody::AwsChunkedBody(std::shared_ptr<BodySource> inner, Expected expected)
    : BodyFilter(std::move(inner)), expected_(std::move(expected)) {}

const std::string* AwsChunkedBody::trailer(std::string_view name) const {
  for (const auto& [each, value] : trailers_)
    if (each == name) return &value;
  return nullptr;
}

std::optional<BodyPiece> AwsChunkedBody::next(std::string_view& bytes) {
  const auto told = [](BodyError error) { return body_error(error.kind, std::move(error.message)); };
  while (!bytes.empty()) {
    if (is_complete_) return told(malformed_chunks("bytes follow the last chunk"));
    switch (reader_.next(bytes)) {
      case ChunkReader::Event::more: break;
      case ChunkReader::Event::chunk:
        if (auto error = begin_chunk()) return told(std::move(*error));
        break;
      case ChunkReader::Event::data: {
        const auto data = reader_.data();
        if (expected_.signing) hash_.put(data);
        chunk_left_ -= data.size();
        if (chunk_left_ == 0)
          if (auto error = judge_chunk()) return told(std::move(*error));
        return data;
      }
      case ChunkReader::Event::trailer:
        if (auto error = take_trailer()) return told(std::move(*error));
        break;
      case ChunkReader::Event::end:
        if (auto error = judge_end()) return told(std::move(*error));
        if (expected_.signing && !expected_.trailers.empty() &&
            !is_next_signature("AWS4-HMAC-SHA256-TRAILER", to_hex(sha256(trailer_text_)), trailer_signature_))
          return told({Kind::wrong_signature, "the signature of the trailers does not match"});
        is_complete_ = true;
        break;
      case ChunkReader::Event::failed: return told(malformed_chunks(std::string(reader_.reason())));
    }
  }
  return std::nullopt;
}

BodyPiece AwsChunkedBody::end() {
  if (!is_complete_) return body_error(Kind::wrong_length, "the body ends before its last chunk");
  return std::string_view();
}

std::optional<BodyError> AwsChunkedBody::begin_chunk() {
  chunk_left_ = reader_.size();
  if (expected_.length && chunk_left_ > *expected_.length - length_)
    return BodyError{Kind::wrong_length, "the chunks are longer than x-amz-decoded-content-length says"};
  length_ += chunk_left_;  // cannot overflow: a chunk has less than 2^63 bytes, and they must really arrive
  if (!expected_.signing) return std::nullopt;
  const auto extension = reader_.extension();
  if (!extension.starts_with(signature_extension)) return malformed_chunks("a chunk has no signature");
  chunk_signature_ = extension.substr(signature_extension.size());
  return chunk_left_ == 0 ? judge_chunk() : std::nullopt;
}

std::optional<BodyError> AwsChunkedBody::judge_chunk() {
  if (!expected_.signing) return std::nullopt;
  const auto hashes = fmt::format("{}\n{}", hash_of_nothing, to_hex(hash_.finish()));
  if (is_next_signature("AWS4-HMAC-SHA256-PAYLOAD", hashes, chunk_signature_)) return std::nullopt;
  return BodyError{Kind::wrong_signature, "the signature of a chunk does not match"};
}

bool AwsChunkedBody::is_next_signature(std::string_view purpose, const std::string& hashes, std::string_view signature) {
  auto& chain = *expected_.signing;
  const auto text = fmt::format("{}\n{}\n{}\n{}\n{}", purpose, chain.time, chain.scope, chain.signature, hashes);
  chain.signature = to_hex(hmac_sha256(chain.key, text));
  return constant_time_equal(chain.signature, signature);
}

std::optional<BodyError> AwsChunkedBody::take_trailer() {
  auto name = to_lower(reader_.name());
  if (expected_.signing && name == signature_trailer) {
    if (!trailer_signature_.empty()) return malformed_chunks("the trailers are signed twice");
    trailer_signature_ = reader_.value();
    return std::nullopt;
  }
  if (!trailer_signature_.empty()) return malformed_chunks("a trailer follows the signature of the trailers");
  if (std::find(expected_.trailers.begin(), expected_.trailers.end(), name) == expected_.trailers.end())
    return malformed_chunks("a trailer comes that x-amz-trailer does not announce");
  if (trailer(name) != nullptr) return malformed_chunks("a trailer comes twice");
  trailer_text_ += fmt::format("{}:{}\n", name, reader_.value());
  trailers_.emplace_back(std::move(name), reader_.value());
  return std::nullopt;
}

std::optional<BodyError> AwsChunkedBody::judge_end() const {
  if (expected_.length && length_ != *expected_.length)
    return BodyError{Kind::wrong_length, "the chunks are shorter than x-amz-decoded-content-length says"};
  if (trailers_.size() != expected_.trailers.size()) return malformed_chunks("a trailer that x-amz-trailer announces is missing");
  if (expected_.trailers.empty() && !trailer_signature_.empty()) return malformed_chunks("a signature of trailers comes without trailers");
  return std::nullopt;
}

}  // namespace brume::wire
