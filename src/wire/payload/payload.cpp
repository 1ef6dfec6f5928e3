#include "wire/payload/payload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace brume::wire {
namespace {

using Kind = BodyError::Kind;

constexpr std::string_view content_hash = "x-amz-content-sha256";
constexpr std::string_view checksum_prefix = "x-amz-checksum-";
constexpr std::array checksum_kinds{DigestKind::crc32, DigestKind::crc32c, DigestKind::crc64nvme, DigestKind::sha1, DigestKind::sha256};

// From the name of a header or trailer; nullopt: not a known checksum.
std::optional<DigestKind> checksum_kind(std::string_view name) {
  if (!name.starts_with(checksum_prefix)) return std::nullopt;
  for (const auto kind : checksum_kinds)
    if (name.substr(checksum_prefix.size()) == name_of(kind)) return kind;
  return std::nullopt;
}

size_t digest_size(DigestKind kind) {
  switch (kind) {
    case DigestKind::crc32:
    case DigestKind::crc32c: return 4;
    case DigestKind::crc64nvme: return 8;
    case DigestKind::md5: return 16;
    case DigestKind::sha1: return 20;
    case DigestKind::sha256: return 32;
  }
  return 0;
}

std::optional<std::string> from_hex_digest(std::string_view text) {
  if (text.size() != 64) return std::nullopt;
  std::string bytes;
  int high = -1;
  for (const char c : text) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return std::nullopt;
    if (high < 0) {
      high = digit;
      continue;
    }
    bytes += static_cast<char>(high * 16 + digit);
    high = -1;
  }
  return bytes;
}

std::string read_digest(std::string_view header, std::string_view value, DigestKind kind) {
  auto bytes = from_base64(value);
  if (bytes && bytes->size() == digest_size(kind)) return *bytes;
  if (kind == DigestKind::md5) throw ApiError(400, "InvalidDigest", "The Content-MD5 you specified is not valid.");
  throw ApiError(400, "InvalidRequest", fmt::format("Value for {} header is invalid.", header));
}

std::vector<std::string> announced_trailers(const HttpRequest& head) {
  std::vector<std::string> names;
  for (const auto part : split(head.header("x-amz-trailer"), ',')) {
    auto name = to_lower(trim(part));
    if (name.empty()) continue;
    if (!checksum_kind(name)) throw ApiError(400, "InvalidRequest", "The value specified in the x-amz-trailer header is not supported");
    if (std::find(names.begin(), names.end(), name) != names.end())
      throw ApiError(400, "InvalidRequest", "The x-amz-trailer header names a trailer twice");
    names.push_back(std::move(name));
  }
  return names;
}

std::vector<PayloadBody::Check> checks_of_headers(const HttpRequest& head, PayloadKind kind) {
  std::vector<PayloadBody::Check> checks;
  for (const auto& [name, value] : head.headers)
    if (const auto known = checksum_kind(name)) checks.push_back({*known, name, read_digest(name, value, *known)});
  if (checks.size() > 1)
    throw ApiError(400, "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
  if (const auto value = head.header("content-md5"); !value.empty())
    checks.push_back({DigestKind::md5, "content-md5", read_digest("content-md5", value, DigestKind::md5)});
  if (kind == PayloadKind::hashed)
    checks.push_back({DigestKind::sha256, std::string(content_hash), *from_hex_digest(head.header(content_hash))});
  return checks;
}

std::shared_ptr<AwsChunkedBody> open_chunks(const HttpRequest& head, std::shared_ptr<BodySource> body, PayloadKind kind,
                                            std::optional<ChunkSigning> signing, std::vector<PayloadBody::Check>& checks) {
  AwsChunkedBody::Expected expected;
  const auto length = parse_integer(head.header("x-amz-decoded-content-length"));
  if (!length || *length < 0) throw ApiError(411, "MissingContentLength", "You must provide the x-amz-decoded-content-length HTTP header.");
  expected.length = static_cast<std::uint64_t>(*length);
  expected.trailers = announced_trailers(head);
  if ((kind == PayloadKind::signed_chunks) != expected.trailers.empty() && kind != PayloadKind::unsigned_chunks_trailer)
    throw ApiError(400, "InvalidRequest", "The x-amz-trailer header and x-amz-content-sha256 contradict each other");
  for (const auto& name : expected.trailers) checks.push_back({*checksum_kind(name), name, {}});
  if (kind != PayloadKind::unsigned_chunks_trailer) expected.signing = std::move(signing);
  return std::make_shared<AwsChunkedBody>(std::move(body), std::move(expected));
}

}  // namespace

PayloadKind payload_kind_of(const HttpRequest& head) {
  const auto value = head.header(content_hash);
  if (value.empty() || value == "UNSIGNED-PAYLOAD") return PayloadKind::unsigned_whole;
  if (value == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD") return PayloadKind::signed_chunks;
  if (value == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER") return PayloadKind::signed_chunks_trailer;
  if (value == "STREAMING-UNSIGNED-PAYLOAD-TRAILER") return PayloadKind::unsigned_chunks_trailer;
  if (value.starts_with("STREAMING-"))
    throw ApiError(501, "NotImplemented", fmt::format("Payloads signed as {} are not accepted here.", value.substr(0, 64)));
  if (from_hex_digest(value)) return PayloadKind::hashed;
  throw ApiError(400, "InvalidArgument",
                 "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
                 "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.");
}

PayloadBody::PayloadBody(std::shared_ptr<BodySource> inner, std::shared_ptr<AwsChunkedBody> chunks, std::vector<Check> checks,
                         const std::vector<DigestKind>& wanted)
    : BodyFilter(std::move(inner)), chunks_(std::move(chunks)), checks_(std::move(checks)) {
  for (const auto& check : checks_) add(check.kind);
  for (const auto kind : wanted) add(kind);
}

void PayloadBody::add(DigestKind kind) {
  for (const auto& running : digests_)
    if (running.kind == kind) return;
  digests_.push_back({kind, RunningDigest(kind), {}});
}

std::string_view PayloadBody::digest(DigestKind kind) const {
  for (const auto& running : digests_)
    if (running.kind == kind) return running.result;
  return {};
}

std::optional<BodyPiece> PayloadBody::next(std::string_view& bytes) {
  const auto piece = bytes;
  bytes = {};
  for (auto& running : digests_) running.digest.put(piece);
  length_ += piece.size();
  return piece;
}

BodyPiece PayloadBody::end() {
  for (auto& running : digests_) running.result = running.digest.finish();
  for (const auto& check : checks_) {
    auto expected = check.expected;
    if (expected.empty()) {
      const auto* value = chunks_ ? chunks_->trailer(check.header) : nullptr;
      expected = value == nullptr ? std::string() : from_base64(*value).value_or("");
      if (expected.size() != digest_size(check.kind))
        return body_error(Kind::malformed, fmt::format("the value of the trailer {} is invalid", check.header));
    }
    if (digest(check.kind) != expected)
      return body_error(Kind::wrong_checksum, fmt::format("the body does not have the digest that {} says", check.header));
  }
  return std::string_view();
}

std::shared_ptr<PayloadBody> open_payload(const HttpRequest& head, std::shared_ptr<BodySource> body, std::optional<ChunkSigning> signing,
                                          const std::vector<DigestKind>& wanted) {
  const auto kind = payload_kind_of(head);
  auto checks = checks_of_headers(head, kind);
  if (kind == PayloadKind::unsigned_whole || kind == PayloadKind::hashed)
    return std::make_shared<PayloadBody>(std::move(body), nullptr, std::move(checks), wanted);
  const auto chunks = open_chunks(head, std::move(body), kind, std::move(signing), checks);
  return std::make_shared<PayloadBody>(chunks, chunks, std::move(checks), wanted);
}

ApiError payload_error(const BodyError& error) {
  switch (error.kind) {
    case Kind::timed_out:
      return {400, "RequestTimeout", "Your socket connection to the server was not read from or written to within the timeout period."};
    case Kind::malformed: return {400, "MalformedTrailerError", fmt::format("The request is malformed: {}.", error.message)};
    case Kind::wrong_signature:
      return {403, "SignatureDoesNotMatch", fmt::format("The request is not signed as it says: {}.", error.message)};
    case Kind::wrong_checksum:
      if (error.message.find(content_hash) != std::string::npos)
        return {400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed."};
      return {400, "BadDigest", fmt::format("The checksum you specified did not match the calculated checksum: {}.", error.message)};
    case Kind::lost:
    case Kind::wrong_length:
      return {400, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header."};
    case Kind::failed: break;
  }
  return {500, "InternalError", "We encountered an internal error. Please try again."};
}

}  // namespace brume::wire
