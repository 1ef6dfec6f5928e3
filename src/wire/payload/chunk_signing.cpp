#include "wire/payload/chunk_signing.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace brume::wire {

std::optional<ChunkSigning> chunk_signing_of(const HttpRequest& head, std::string_view secret) {
  constexpr std::string_view algorithm = "AWS4-HMAC-SHA256 ";
  const auto authorization = head.header("authorization");
  if (!authorization.starts_with(algorithm)) return std::nullopt;
  std::string_view credential;
  std::string_view signature;
  for (const auto each : split(authorization.substr(algorithm.size()), ',')) {
    const auto part = trim(each);
    if (part.starts_with("Credential=")) credential = part.substr(part.find('=') + 1);
    if (part.starts_with("Signature=")) signature = part.substr(part.find('=') + 1);
  }
  // KEY/20130524/us-east-1/s3/aws4_request; a key may have slashes.
  const auto parts = split(credential, '/');
  const auto time = head.header("x-amz-date");
  if (parts.size() < 5 || signature.empty() || time.empty()) return std::nullopt;
  const auto* scope = parts.data() + parts.size() - 4;
  const auto day = hmac_sha256(fmt::format("AWS4{}", secret), scope[0]);
  return ChunkSigning{hmac_sha256(hmac_sha256(hmac_sha256(day, scope[1]), scope[2]), scope[3]), std::string(time),
                      fmt::format("{}/{}/{}/{}", scope[0], scope[1], scope[2], scope[3]), std::string(signature)};
}

}  // namespace brume::wire
