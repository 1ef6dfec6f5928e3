// Any bytes as a stored record: read or refused, and what was read is written and read again as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "state/codec.hpp"
#include "state/kinds.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  using namespace brume::state;
  if (size == 0) return 0;
  const auto kind = static_cast<Kind>(data[0] % static_cast<std::uint8_t>(Kind::count));
  const auto record = decode(kind, {reinterpret_cast<const char*>(data) + 1, size - 1});
  if (!record) return 0;
  const auto json = encode(kind, record->get());
  const auto again = decode(kind, json);
  if (!again || encode(kind, again->get()) != json) std::abort();
  if (key_of(kind, record->get()) != key_of(kind, again->get())) std::abort();
  if (index_entries(kind, "k", record->get()) != index_entries(kind, "k", again->get())) std::abort();
  return 0;
}
