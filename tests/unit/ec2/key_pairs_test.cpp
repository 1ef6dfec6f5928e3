#include <fmt/format.h>

#include "ec2_actions.hpp"

namespace brume::ec2 {
namespace {

class KeyPairs : public ActionsTest {
 protected:
  KeyPairs() {
    add(key_pair_actions());
    add(tag_actions());
  }
};

TEST_F(KeyPairs, FiveThousandAndNotOneMore) {
  transact([&](state::Transaction& transaction) {
    for (int i = 0; i < 4999; ++i) {
      state::KeyPair pair;
      pair.account = account;
      pair.id = fmt::format("key-{:08x}", i);
      pair.name = fmt::format("k{}", i);
      transaction.put(std::move(pair));
    }
  });
  EXPECT_EQ(code("CreateKeyPair", "KeyName=last&KeyType=ed25519"), "");
  EXPECT_EQ(code("CreateKeyPair", "KeyName=another&KeyType=ed25519"), "ResourceLimitExceeded");
  as_ = stranger;
  EXPECT_EQ(code("CreateKeyPair", "KeyName=another&KeyType=ed25519"), "");
}

TEST_F(KeyPairs, ADryRunMakesNone) {
  call("CreateKeyPair", "KeyName=web&KeyType=ed25519&DryRun=true");
  EXPECT_EQ(count(call("DescribeKeyPairs"), "keyName"), 0u);
}

TEST_F(KeyPairs, WhatIsNamedWrongly) {
  EXPECT_EQ(code("CreateKeyPair"), "MissingParameter");
  EXPECT_EQ(code("ImportKeyPair", "KeyName=web"), "MissingParameter");
  EXPECT_EQ(code("ImportKeyPair", "KeyName=web&PublicKeyMaterial=bm9uc2Vuc2U="), "InvalidKey.Format");
  EXPECT_EQ(code("DeleteKeyPair"), "MissingParameter");
  EXPECT_EQ(code("DeleteKeyPair", "KeyName=a&KeyPairId=key-00000001"), "InvalidParameterCombination");
  EXPECT_EQ(code("DeleteKeyPair", "KeyPairId=web"), "InvalidKeyPairId.Malformed");
  EXPECT_EQ(code("DescribeKeyPairs", "KeyPairId.1=key-1"), "InvalidKeyPairId.Malformed");
  EXPECT_EQ(code("DescribeKeyPairs", "KeyPairId.1=key-00000001"), "InvalidKeyPair.NotFound");
  EXPECT_EQ(code("CreateKeyPair",
                 "KeyName=web&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b"),
            "InvalidParameterValue");
}

}  // namespace
}  // namespace brume::ec2
