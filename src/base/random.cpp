#include "base/random.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <vector>

namespace brume {

namespace {
constexpr std::string_view hex_digits = "0123456789abcdef";

void append_hex(std::string& out, std::span<const std::uint8_t> bytes) {
  for (const auto byte : bytes) {
    out += hex_digits[byte >> 4];
    out += hex_digits[byte & 15];
  }
}
}  // namespace

std::string Random::hex(size_t count) {
  std::vector<std::uint8_t> bytes((count + 1) / 2);
  fill(bytes);
  std::string out;
  out.reserve(count + 1);
  append_hex(out, bytes);
  out.resize(count);
  return out;
}

std::string Random::text(size_t count, std::string_view alphabet) {
  // Bytes beyond the last whole multiple of the alphabet's size would favour its first characters, so they are drawn again.
  const size_t limit = 256 - 256 % alphabet.size();
  std::string out;
  std::array<std::uint8_t, 64> bytes{};
  while (out.size() < count) {
    fill(bytes);
    for (const auto byte : bytes)
      if (byte < limit && out.size() < count) out += alphabet[byte % alphabet.size()];
  }
  return out;
}

namespace {
void fill_from_kernel(std::span<std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const auto got = getrandom(bytes.data(), bytes.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw std::runtime_error("the kernel gives no random bytes");
    bytes = bytes.subspan(static_cast<size_t>(got));
  }
}
}  // namespace

// Ids are drawn at every request, so each thread asks the kernel for many bytes at once. Bytes that were handed out are wiped here.
void SystemRandom::fill(std::span<std::uint8_t> bytes) {
  thread_local std::array<std::uint8_t, 512> pool;
  thread_local size_t left = 0;
  if (bytes.size() > 64) return fill_from_kernel(bytes);
  if (left < bytes.size()) {
    left = 0;
    fill_from_kernel(pool);
    left = pool.size();
  }
  const auto given = std::span(pool).subspan(left - bytes.size(), bytes.size());
  std::copy(given.begin(), given.end(), bytes.begin());
  std::fill(given.begin(), given.end(), std::uint8_t{0});
  left -= bytes.size();
}

void SeededRandom::fill(std::span<std::uint8_t> bytes) {
  const std::lock_guard lock(mutex_);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(engine_());
}

std::string make_id(Random& random, std::string_view prefix) {
  std::array<std::uint8_t, 9> bytes{};
  random.fill(bytes);
  std::string id;
  id.reserve(prefix.size() + 19);
  id.append(prefix).push_back('-');
  append_hex(id, bytes);
  id.pop_back();
  return id;
}

std::string make_uuid(Random& random) {
  std::array<std::uint8_t, 16> bytes{};
  random.fill(bytes);
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  std::string id;
  id.reserve(36);
  size_t done = 0;
  for (const size_t length : {4u, 2u, 2u, 2u, 6u}) {
    if (!id.empty()) id += '-';
    append_hex(id, std::span(bytes).subspan(done, length));
    done += length;
  }
  return id;
}

}  // namespace brume
