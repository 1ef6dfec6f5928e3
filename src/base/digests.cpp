#include "base/digests.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <stdexcept>

#include "base/openssl.hpp"

namespace brume {
namespace {

// Eight tables, so that eight bytes cost one step ("slicing by eight"). `polynomial`: with its bits reversed.
template <class Word>
using CrcTables = std::array<std::array<Word, 256>, 8>;

template <class Word>
constexpr CrcTables<Word> make_crc_tables(Word polynomial) {
  CrcTables<Word> tables{};
  for (unsigned i = 0; i < 256; ++i) {
    Word word = i;
    for (int bit = 0; bit < 8; ++bit) word = static_cast<Word>((word >> 1) ^ ((word & 1) != 0 ? polynomial : 0));
    tables[0][i] = word;
  }
  for (unsigned i = 0; i < 256; ++i)
    for (unsigned k = 1; k < 8; ++k) {
      const Word before = tables[k - 1][i];
      tables[k][i] = static_cast<Word>((before >> 8) ^ tables[0][before & 0xff]);
    }
  return tables;
}

constexpr auto crc32_tables = make_crc_tables<std::uint32_t>(0xEDB88320U);
constexpr auto crc32c_tables = make_crc_tables<std::uint32_t>(0x82F63B78U);
constexpr auto crc64nvme_tables = make_crc_tables<std::uint64_t>(0x9A6C9329AC4BC9B5ULL);

template <class Word>
Word run_crc(const CrcTables<Word>& tables, Word crc, std::string_view bytes) {
  static_assert(std::endian::native == std::endian::little);
  while (bytes.size() >= 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, bytes.data(), 8);
    eight ^= crc;
    crc = 0;
    for (unsigned i = 0; i < 8; ++i) crc = static_cast<Word>(crc ^ tables[7 - i][(eight >> (8 * i)) & 0xff]);
    bytes.remove_prefix(8);
  }
  for (const char c : bytes) crc = static_cast<Word>((crc >> 8) ^ tables[0][(crc ^ static_cast<unsigned char>(c)) & 0xff]);
  return crc;
}

template <class Word>
std::string most_significant_first(Word word) {
  std::string bytes;
  for (size_t i = sizeof word; i-- > 0;) bytes += static_cast<char>(word >> (8 * i) & 0xff);
  return bytes;
}

const char* openssl_name(DigestKind kind) {
  switch (kind) {
    case DigestKind::md5: return "MD5";
    case DigestKind::sha1: return "SHA1";
    case DigestKind::sha256: return "SHA256";
    default: return nullptr;
  }
}

void need_digest(bool done) {
  if (!done) throw std::runtime_error("OpenSSL failed: digest");
}

}  // namespace

class RunningDigest::Implementation {
 public:
  explicit Implementation(DigestKind kind) : kind_(kind) {
    if (const char* name = openssl_name(kind)) {
      algorithm_.reset(EVP_MD_fetch(nullptr, name, nullptr));
      context_.reset(EVP_MD_CTX_new());
      need_digest(algorithm_ && context_);
    }
    begin();
  }

  void put(std::string_view bytes) {
    switch (kind_) {
      case DigestKind::crc32: crc32_ = run_crc(crc32_tables, crc32_, bytes); break;
      case DigestKind::crc32c: crc32_ = run_crc(crc32c_tables, crc32_, bytes); break;
      case DigestKind::crc64nvme: crc64_ = run_crc(crc64nvme_tables, crc64_, bytes); break;
      default: need_digest(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
    }
  }

  std::string finish() {
    std::string result;
    if (context_) {
      result.resize(static_cast<size_t>(EVP_MD_get_size(algorithm_.get())));
      need_digest(EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(result.data()), nullptr) == 1);
    } else {
      result = kind_ == DigestKind::crc64nvme ? most_significant_first(~crc64_) : most_significant_first(~crc32_);
    }
    begin();
    return result;
  }

 private:
  void begin() {
    crc32_ = ~0U;
    crc64_ = ~0ULL;
    if (context_) need_digest(EVP_DigestInit_ex2(context_.get(), algorithm_.get(), nullptr) == 1);
  }

  DigestKind kind_;
  std::uint32_t crc32_ = 0;
  std::uint64_t crc64_ = 0;
  std::unique_ptr<EVP_MD, openssl::Release<EVP_MD_free>> algorithm_;
  openssl::DigestContext context_;
};

RunningDigest::RunningDigest(DigestKind kind) : implementation_(std::make_unique<Implementation>(kind)) {}
RunningDigest::~RunningDigest() = default;
RunningDigest::RunningDigest(RunningDigest&&) noexcept = default;
RunningDigest& RunningDigest::operator=(RunningDigest&&) noexcept = default;
void RunningDigest::put(std::string_view bytes) { implementation_->put(bytes); }
std::string RunningDigest::finish() { return implementation_->finish(); }

std::string_view name_of(DigestKind kind) {
  switch (kind) {
    case DigestKind::md5: return "md5";
    case DigestKind::sha1: return "sha1";
    case DigestKind::sha256: return "sha256";
    case DigestKind::crc32: return "crc32";
    case DigestKind::crc32c: return "crc32c";
    case DigestKind::crc64nvme: return "crc64nvme";
  }
  return {};
}

}  // namespace brume
