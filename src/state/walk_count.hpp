// How many records were walked over, so that tests and `make bench` can compare that with how many there are.
#pragma once

#include <cstdint>

namespace brume::state {

// Entries that this thread's walks through maps and indexes have passed since it began. Finding one by its key does not count.
std::uint64_t entries_walked();

}  // namespace brume::state
