// The newest World, handed to any number of readers without a lock.
//
// libstdc++ 12 spins on a bit inside std::atomic<std::shared_ptr>, and a mutex would let a preempted reader hold up the writer. Here
// one 64-bit word holds the address of the current holder and, above it, how many readers are just now taking their reference from
// it. A reader adds one to the word (wait-free), copies the shared_ptr, and takes its one back; a writer swaps the word, and moves
// the number that it found there to the holder's own count, which the late readers then bring to zero. Whoever does deletes it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <utility>

namespace brume::state {

template <class T>
class Published {
 public:
  explicit Published(std::shared_ptr<const T> value) : word_(word_of(new Holder(std::move(value)))) {}
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;
  ~Published() { delete holder_of(word_.load(std::memory_order_acquire)); }

  // Threads: any.
  std::shared_ptr<const T> load() const {
    std::uint64_t word = word_.fetch_add(one_reader, std::memory_order_acquire) + one_reader;
    Holder* const holder = holder_of(word);
    std::shared_ptr<const T> value = holder->value;
    // Our one is in the word as long as the holder is (it cannot return there, because it is published once).
    while (holder_of(word) == holder)
      if (word_.compare_exchange_weak(word, word - one_reader, std::memory_order_acq_rel, std::memory_order_acquire)) return value;
    if (holder->debt.fetch_sub(1, std::memory_order_acq_rel) == 1) delete holder;
    return value;
  }

  // Threads: one at a time.
  void store(std::shared_ptr<const T> value) {
    const std::uint64_t old = word_.exchange(word_of(new Holder(std::move(value))), std::memory_order_acq_rel);
    Holder* const holder = holder_of(old);
    const auto readers = static_cast<std::int64_t>(old >> address_bits);
    if (holder->debt.fetch_add(readers, std::memory_order_acq_rel) == -readers) delete holder;
  }

 private:
  static constexpr int address_bits = 48;  // user space of x86-64 and of arm64 as Linux hands it out
  static constexpr std::uint64_t one_reader = std::uint64_t{1} << address_bits;

  struct Holder {
    explicit Holder(std::shared_ptr<const T> held) : value(std::move(held)) {}
    const std::shared_ptr<const T> value;
    std::atomic<std::int64_t> debt{0};  // readers that the writer found in the word, minus those that have left since
  };

  static std::uint64_t word_of(Holder* holder) {
    const auto address = reinterpret_cast<std::uintptr_t>(holder);
    if (address >= one_reader) {
      delete holder;
      throw std::runtime_error("this machine's addresses are wider than 48 bits");
    }
    return address;
  }
  static Holder* holder_of(std::uint64_t word) { return reinterpret_cast<Holder*>(static_cast<std::uintptr_t>(word & (one_reader - 1))); }

  mutable std::atomic<std::uint64_t> word_;
};

}  // namespace brume::state
