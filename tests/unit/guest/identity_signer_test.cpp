// Identity documents as their users check them: with the openssl command, and the certificate alone.
#include "guest/identity_signer.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"

namespace brume::guest {
namespace {

const std::string document = "{\n  \"instanceId\" : \"i-1\"\n}";

class IdentitySignerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "identity-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<IdentitySigner> open() { return IdentitySigner::open(folder_ + "/keys", "us-east-1", SystemClock().now()).value(); }
  std::string file(const std::string& name, std::string_view content) {
    EXPECT_TRUE(write_file(folder_ + "/" + name, content));
    return folder_ + "/" + name;
  }
  // What `openssl …` printed, or "failed".
  std::string openssl(std::vector<std::string> arguments) {
    Command command;
    command.program = "openssl";
    command.arguments = std::move(arguments);
    const auto done = run(command);
    return done && done->status == 0 ? done->output : "failed";
  }
  std::string verify_message(const std::string& pkcs7, const std::string& certificate) {
    const auto message = file("message", "-----BEGIN PKCS7-----\n" + pkcs7 + "\n-----END PKCS7-----\n");
    return openssl({"smime", "-verify", "-inform", "PEM", "-in", message, "-certfile", certificate, "-noverify"});
  }

  std::string folder_;
};

TEST_F(IdentitySignerTest, TheMessageHoldsTheDocumentAndChecks) {
  const auto signer = open();
  const auto made = signer->sign(document);
  const auto certificate = file("certificate", signer->certificate());
  EXPECT_EQ(verify_message(made->pkcs7, certificate), document);
  for (const auto line : split(made->pkcs7, '\n')) EXPECT_LE(line.size(), 64u);
  const auto other = IdentitySigner::open(folder_ + "/others", "us-east-1", SystemClock().now()).value();
  EXPECT_EQ(verify_message(made->pkcs7, file("other", other->certificate())), "failed") << "somebody else's certificate";
}

TEST_F(IdentitySignerTest, TheSignatureChecksAgainstTheDocument) {
  const auto signer = open();
  const auto key = file("key", openssl({"x509", "-in", file("certificate", signer->certificate()), "-noout", "-pubkey"}));
  std::string text = signer->sign(document)->signature;
  std::erase(text, '\n');
  const auto signature = file("signature", from_base64(text).value_or(""));
  EXPECT_EQ(openssl({"dgst", "-sha256", "-verify", key, "-signature", signature, file("document", document)}), "Verified OK\n");
  EXPECT_EQ(openssl({"dgst", "-sha256", "-verify", key, "-signature", signature, file("document", document + " ")}), "failed");
}

TEST_F(IdentitySignerTest, TheKeyIsMadeOnceAndIsSecret) {
  const auto first = open()->certificate();
  const auto signature = open()->sign(document)->signature;
  EXPECT_EQ(open()->certificate(), first);
  EXPECT_EQ(open()->sign(document)->signature, signature);
  struct stat status {};
  ASSERT_EQ(::stat((folder_ + "/keys/key.pem").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(first.find("PRIVATE"), std::string::npos);
}

TEST_F(IdentitySignerTest, AKeyOfAnotherCertificateIsRefused) {
  [[maybe_unused]] const auto made = open();
  [[maybe_unused]] const auto others = IdentitySigner::open(folder_ + "/others", "us-east-1", SystemClock().now()).value();
  std::filesystem::copy_file(folder_ + "/others/key.pem", folder_ + "/keys/key.pem", std::filesystem::copy_options::overwrite_existing);
  EXPECT_FALSE(IdentitySigner::open(folder_ + "/keys", "us-east-1", SystemClock().now()));
}

TEST_F(IdentitySignerTest, RemembersABoundedNumberOfDocuments) {
  const auto signer = open();
  const auto first = signer->sign(document);
  EXPECT_EQ(signer->sign(document).get(), first.get()) << "computed once";
  for (int i = 0; i < 1024; ++i) signer->sign(std::to_string(i));
  EXPECT_NE(signer->sign(document).get(), first.get());
}

}  // namespace
}  // namespace brume::guest
