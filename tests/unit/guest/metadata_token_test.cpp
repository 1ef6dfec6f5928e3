#include "guest/metadata_token.hpp"

#include <gtest/gtest.h>

namespace brume::guest {
namespace {

const std::string key(32, 'k');
constexpr Time now{milliseconds(1'700'000'000'500)};

TEST(MetadataToken, HoldsForItsLife) {
  const auto token = make_token(key, "i-1", now, seconds(60));
  EXPECT_EQ(token.size(), 56u);
  EXPECT_EQ(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_="), std::string::npos);
  EXPECT_EQ(check_token(key, "i-1", now, token), seconds(60));
  EXPECT_EQ(check_token(key, "i-1", now + seconds(59), token), seconds(1));
  EXPECT_EQ(check_token(key, "i-1", now + seconds(60), token), std::nullopt);
}

TEST(MetadataToken, BelongsToOneInstanceAndOneKey) {
  const auto token = make_token(key, "i-1", now, seconds(60));
  EXPECT_EQ(check_token(key, "i-2", now, token), std::nullopt);
  EXPECT_EQ(check_token(std::string(32, 'x'), "i-1", now, token), std::nullopt);
}

TEST(MetadataToken, CannotBeChanged) {
  const auto token = make_token(key, "i-1", now, seconds(60));
  for (size_t i = 0; i < token.size() - 3; ++i) {  // the last character before the padding has bits that count for nothing
    auto changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_EQ(check_token(key, "i-1", now, changed), std::nullopt) << i;
  }
  for (const std::string_view bad : {"", "A", "=", "token"}) EXPECT_EQ(check_token(key, "i-1", now, bad), std::nullopt);
  EXPECT_EQ(check_token(key, "i-1", now, std::string(56, ' ')), std::nullopt);
  EXPECT_EQ(check_token(key, "i-1", now, token + "A"), std::nullopt);
}

}  // namespace
}  // namespace brume::guest
