// Keys as other programs see them: every format and fingerprint is checked with ssh-keygen, puttygen and openssl.
#include "base/key_material.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"

namespace brume {
namespace {

class KeyMaterial : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/brume-keys-XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, std::string_view content) const {
    const auto path = folder_ + "/" + name;
    EXPECT_TRUE(write_file(path, content, 0600));
    return path;
  }
  std::string shell(const std::string& script) const {
    Command command;
    command.program = "/bin/sh";
    command.arguments = {"-c", "set -e; " + script};
    command.folder = folder_;
    const auto done = run(command, seconds(60));
    if (!done) return "cannot run: " + done.error().message;
    if (done->status != 0) return "failed: " + done->errors + done->output;
    return std::string(trim(done->output));
  }
  // type and base64, without the comment
  static std::string without_comment(const std::string& line) {
    const auto words = split(line, ' ');
    return words.size() < 2 ? line : std::string(words[0]) + " " + std::string(words[1]);
  }

  std::string folder_;
};

TEST_F(KeyMaterial, RsaPemIsWhatOpensshAndOpensslRead) {
  const auto key = make_key(KeyType::rsa, PrivateFormat::pem, "web");
  EXPECT_TRUE(key.private_key.view().starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
  EXPECT_TRUE(key.private_key.view().ends_with("-----END RSA PRIVATE KEY-----\n"));
  EXPECT_EQ(key.public_key.bits, 2048);
  const auto path = file("k.pem", key.private_key.view());
  EXPECT_EQ(without_comment(shell("ssh-keygen -y -f k.pem")), key.public_key.line);
  EXPECT_EQ(shell("openssl pkcs8 -in k.pem -nocrypt -topk8 -outform DER | openssl sha1 -c | sed 's/.*= //'"), key.public_key.fingerprint);
  EXPECT_EQ(shell("openssl rsa -in k.pem -check -noout"), "RSA key ok");
  // PuTTYgen loads it too (INS-082).
  EXPECT_EQ(without_comment(shell("puttygen k.pem -L")), key.public_key.line);
}

TEST_F(KeyMaterial, Ed25519PemIsWhatOpensshReads) {
  const auto key = make_key(KeyType::ed25519, PrivateFormat::pem, "a name of mine");
  EXPECT_TRUE(key.private_key.view().starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
  file("k.pem", key.private_key.view());
  EXPECT_EQ(shell("ssh-keygen -y -f k.pem"), key.public_key.line + " a name of mine");
  EXPECT_EQ(shell("ssh-keygen -l -f k.pem | cut -d' ' -f2") + "=", "SHA256:" + key.public_key.fingerprint);
  // A signature that the public half verifies.
  file("allowed", "me " + key.public_key.line + "\n");
  EXPECT_NE(
      shell(
          "echo hello | tee m | ssh-keygen -q -Y sign -n file -f k.pem > m.sig; ssh-keygen -Y verify -f allowed -I me -n file -s m.sig < m")
          .find("Good"),
      std::string::npos);
}

TEST_F(KeyMaterial, PuttyReadsBothOfItsFormats) {
  for (const auto type : {KeyType::rsa, KeyType::ed25519})
    for (const auto format : {PrivateFormat::ppk2, PrivateFormat::ppk3}) {
      const auto key = make_key(type, format, "web");
      file("k.ppk", key.private_key.view());
      EXPECT_TRUE(
          key.private_key.view().starts_with(format == PrivateFormat::ppk2 ? "PuTTY-User-Key-File-2: " : "PuTTY-User-Key-File-3: "));
      EXPECT_EQ(shell("puttygen k.ppk -L"), key.public_key.line + " web");
      // puttygen checks the MAC and the private part when it has to convert; ssh-keygen must find the same key in the result.
      EXPECT_EQ(without_comment(shell("rm -f k.ssh; puttygen k.ppk -O private-openssh-new -o k.ssh; ssh-keygen -y -f k.ssh")),
                key.public_key.line);
      EXPECT_NE(shell("sed 's/^Private-MAC: ./Private-MAC: x/' k.ppk > bad.ppk; puttygen bad.ppk -O private-openssh-new -o bad.ssh")
                    .find("failed"),
                std::string::npos);
    }
}

TEST_F(KeyMaterial, ImportsEveryFormOfAnRsaKey) {
  for (const int bits : {1024, 2048, 3072, 4096}) {
    shell("rm -f k k.pub; ssh-keygen -q -t rsa -b " + std::to_string(bits) + " -m PEM -N '' -C 'me@home  two' -f k");
    shell(
        "ssh-keygen -e -m RFC4716 -f k.pub > k.4716; openssl rsa -in k -pubout -out k.spki 2>/dev/null; "
        "openssl rsa -in k -RSAPublicKey_out -out k.pkcs1 2>/dev/null; openssl rsa -in k -pubout -outform DER -out k.der 2>/dev/null; "
        "base64 k.der > k.der64; sed 's/$/\\r/' k.4716 > k.crlf; openssl req -x509 -new -key k -subj /CN=me -days 2 -out k.crt");
    const auto expected = shell("openssl pkey -in k -pubout -outform DER | openssl md5 -c | sed 's/.*= //'");
    const auto line = without_comment(shell("cat k.pub"));
    for (const std::string name : {"k.pub", "k.4716", "k.crlf", "k.spki", "k.pkcs1", "k.der", "k.der64", "k.crt"}) {
      const auto key = parse_public_key(*read_file(folder_ + "/" + name));
      ASSERT_TRUE(key) << name << ": " << key.error().message;
      EXPECT_EQ(key->line, line) << name;
      EXPECT_EQ(key->fingerprint, expected) << name;
      EXPECT_EQ(key->bits, bits);
      EXPECT_EQ(key->type, KeyType::rsa);
    }
  }
}

TEST_F(KeyMaterial, ImportsEd25519) {
  shell("ssh-keygen -q -t ed25519 -N '' -C me -f k; ssh-keygen -e -m RFC4716 -f k.pub > k.4716; puttygen k -O public -o k.putty");
  const auto line = without_comment(shell("cat k.pub"));
  for (const std::string name : {"k.pub", "k.4716", "k.putty"}) {
    const auto key = parse_public_key(*read_file(folder_ + "/" + name));
    ASSERT_TRUE(key) << name << ": " << key.error().message;
    EXPECT_EQ(key->line, line);
    EXPECT_EQ(key->type, KeyType::ed25519);
    EXPECT_EQ("SHA256:" + key->fingerprint, shell("ssh-keygen -l -f k.pub | cut -d' ' -f2") + "=");
  }
}

TEST_F(KeyMaterial, RefusesOtherKeysAndNonsense) {
  shell(
      "ssh-keygen -q -t ecdsa -N '' -f ec; ssh-keygen -q -t rsa -b 1024 -m PEM -N '' -f k; openssl genrsa -out small 768 2>/dev/null; "
      "openssl rsa -in small -pubout -out small.pub 2>/dev/null; openssl pkey -in k -pubout -outform DER -out k.der; head -c 100 k.der > "
      "cut.der; "
      "openssl dsaparam -genkey 1024 -out dsa 2>/dev/null; openssl dsa -in dsa -pubout -out dsa.pub 2>/dev/null");
  for (const std::string name : {"ec.pub", "k", "small.pub", "cut.der", "dsa.pub"})
    EXPECT_FALSE(parse_public_key(*read_file(folder_ + "/" + name))) << name;
  const auto line = shell("cat k.pub");
  for (const auto& text :
       {std::string(), std::string(" \n"), std::string("ssh-rsa"), std::string("ssh-rsa !!!!"), std::string("ssh-rsa AAAA"),
        "ssh-ed25519 " + line.substr(8), line.substr(0, line.size() / 2) + "=", line + "\n" + line, std::string(20000, 'A'),
        std::string("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----"), std::string("---- BEGIN SSH2 PUBLIC KEY ----"),
        std::string("-----BEGIN PUBLIC KEY-----"), std::string("\x30\x82\xff\xff")})
    EXPECT_FALSE(parse_public_key(text)) << text.substr(0, 60);
  EXPECT_NE(parse_public_key(*read_file(folder_ + "/k")).error().message.find("private key"), std::string::npos);
}

// ----- files of the user's own (INS-110)

TEST_F(KeyMaterial, ALocalFileTellsBothFingerprintsOfAnRsaPair) {
  const auto key = make_key(KeyType::rsa, PrivateFormat::pem, "web");
  const auto imported = parse_public_key(key.public_key.line)->fingerprint;
  file("k.pem", key.private_key.view());
  shell("openssl pkcs8 -topk8 -nocrypt -in k.pem -out k.pkcs8; cp k.pem k.openssh; ssh-keygen -p -f k.openssh -N '' -P '' >/dev/null");
  shell("puttygen k.pem -O private -o k.ppk; puttygen k.pem -O private -o k.ppk2 --ppk-param version=2");
  EXPECT_TRUE(read_file(folder_ + "/k.openssh")->starts_with("-----BEGIN OPENSSH"));
  for (const char* name : {"k.pem", "k.pkcs8", "k.openssh", "k.ppk", "k.ppk2"}) {
    const auto local = parse_local_key(*read_file(folder_ + "/" + name));
    ASSERT_TRUE(local) << name << ": " << local.error().message;
    EXPECT_EQ(local->made_fingerprint, key.public_key.fingerprint) << name;
    EXPECT_EQ(local->public_key.fingerprint, imported) << name;
  }
  const auto half = parse_local_key(key.public_key.line);
  ASSERT_TRUE(half);
  EXPECT_EQ(half->public_key.fingerprint, imported);
  EXPECT_EQ(half->made_fingerprint, "");
}

TEST_F(KeyMaterial, ALocalFileTellsTheOneFingerprintOfAnEd25519Pair) {
  for (const auto format : {PrivateFormat::pem, PrivateFormat::ppk2, PrivateFormat::ppk3}) {
    const auto key = make_key(KeyType::ed25519, format, "web");
    const auto local = parse_local_key(key.private_key.view());
    ASSERT_TRUE(local) << local.error().message;
    EXPECT_EQ(local->made_fingerprint, key.public_key.fingerprint);
    EXPECT_EQ(local->public_key.fingerprint, key.public_key.fingerprint);
  }
}

TEST_F(KeyMaterial, LocalFilesThatCannotBeRead) {
  const auto key = make_key(KeyType::rsa, PrivateFormat::pem, "web");
  file("k.pem", key.private_key.view());
  shell(
      "cp k.pem k.openssh; ssh-keygen -p -f k.openssh -N secret -P '' >/dev/null; openssl rsa -aes128 -passout pass:secret -in k.pem -out "
      "k.enc");
  shell(
      "openssl pkcs8 -topk8 -passout pass:secret -in k.pem -out k.enc8; echo secret > pass; puttygen k.pem -O private -o k.ppk "
      "--new-passphrase pass");
  for (const char* name : {"k.openssh", "k.enc", "k.enc8", "k.ppk"}) {
    const auto local = parse_local_key(*read_file(folder_ + "/" + name));
    ASSERT_FALSE(local) << name;
    EXPECT_NE(local.error().message.find("passphrase"), std::string::npos) << name << ": " << local.error().message;
  }
  const std::string whole(key.private_key.view());
  for (size_t length : {size_t{0}, size_t{10}, size_t{40}, whole.size() / 2, whole.size() - 40})
    EXPECT_FALSE(parse_local_key(whole.substr(0, length))) << length;
  EXPECT_FALSE(parse_local_key("PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nPublic-Lines: 9999999\nAAAA\n"));
  EXPECT_FALSE(parse_local_key("PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nPublic-Lines: -1\nAAAA\n"));
  EXPECT_FALSE(parse_local_key("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n"));
}

TEST_F(KeyMaterial, SecretTextGrowsWithoutLosingAnything) {
  SecretText secret;
  std::string expected;
  for (int i = 0; i < 10000; ++i) {
    secret.append("0123456789");
    expected += "0123456789";
  }
  EXPECT_EQ(secret.view(), expected);
  SecretText other;
  other.append("x");
  other = std::move(secret);
  EXPECT_EQ(other.view(), expected);
}

}  // namespace
}  // namespace brume
