#include "base/digests.hpp"

#include <gtest/gtest.h>

#include "base/crypto.hpp"
#include "base/text.hpp"

namespace brume {
namespace {

std::string in_pieces(DigestKind kind, std::string_view bytes, size_t piece) {
  RunningDigest digest(kind);
  for (size_t i = 0; i < bytes.size(); i += piece) digest.put(bytes.substr(i, piece));
  return to_hex(digest.finish());
}

// The check values of the catalogue of CRC algorithms, over "123456789"; the others are crypto.hpp's.
TEST(RunningDigest, KnownValues) {
  constexpr std::string_view digits = "123456789";
  EXPECT_EQ(in_pieces(DigestKind::crc32, digits, 9), "cbf43926");
  EXPECT_EQ(in_pieces(DigestKind::crc32c, digits, 9), "e3069283");
  EXPECT_EQ(in_pieces(DigestKind::crc64nvme, digits, 9), "ae8b14860a799888");
  EXPECT_EQ(in_pieces(DigestKind::md5, digits, 9), to_hex(md5(digits)));
  EXPECT_EQ(in_pieces(DigestKind::sha1, digits, 9), to_hex(sha1(digits)));
  EXPECT_EQ(in_pieces(DigestKind::sha256, digits, 9), to_hex(sha256(digits)));
}

TEST(RunningDigest, PiecesMakeNoDifferenceAndFinishBeginsAnew) {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += static_cast<char>(i * 31);
  for (const auto kind :
       {DigestKind::md5, DigestKind::sha1, DigestKind::sha256, DigestKind::crc32, DigestKind::crc32c, DigestKind::crc64nvme}) {
    const auto whole = in_pieces(kind, bytes, bytes.size());
    for (const size_t piece : {1, 3, 7, 8, 9, 64}) EXPECT_EQ(in_pieces(kind, bytes, piece), whole) << name_of(kind) << " " << piece;
    RunningDigest digest(kind);
    digest.put("something else");
    digest.finish();
    digest.put(bytes);
    EXPECT_EQ(to_hex(digest.finish()), whole);
  }
}

}  // namespace
}  // namespace brume
