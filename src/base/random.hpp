// Randomness as a collaborator, so that tests can repeat a run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <string_view>

namespace brume {

// Threads: fill may be called from any thread.
class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::uint8_t> bytes) = 0;

  // `count` lower-case hex digits.
  std::string hex(size_t count);
  // `count` characters of `alphabet` (at most 256), without bias.
  std::string text(size_t count, std::string_view alphabet);
};

// The kernel's generator; good enough for keys and secrets.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> bytes) override;
};

// The same bytes for the same seed; for tests only.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(std::span<std::uint8_t> bytes) override;

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;
};

// Resource ids in the form EC2 uses today: prefix, dash, 17 hex digits ("i-0123456789abcdef0").
std::string make_id(Random& random, std::string_view prefix);

// A request id or client token in the form of a UUID (RFC 4122 version 4).
std::string make_uuid(Random& random);

}  // namespace brume
