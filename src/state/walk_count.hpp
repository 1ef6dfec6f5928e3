// How much of the records was walked over, so that tests and `make bench` can hold it against how many there are.
#pragma once

#include <cstdint>

namespace brume::state {

// Entries that this thread's walks through maps and indexes have gone over, since it began. Finding one by its key counts for nothing.
std::uint64_t entries_walked();

}  // namespace brume::state
