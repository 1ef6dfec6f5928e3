// Copies what a file of a chain shows from the files below it into the file itself, in the background: by a process of QEMU's storage
// daemon, at a bounded rate. Aborted anywhere, the file reads the same.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "base/result.hpp"
#include "engines/block/block_access.hpp"

namespace brume::block {

struct StreamJob {
  ImageChain chain;       // the first is written to; nobody else has it open
  size_t base = 0;        // place in the chain of the file that the first will stand on directly; the chain's size: none
  std::string base_name;  // as the first's header will name it
  std::string key;        // key of the encrypted files
  std::uint64_t bytes_per_second = 0;
};

// Returns when it is done. `exhausted`: the disk is full; `refused`: `stop` was requested. What it copied until then stays.
Result<void> stream(const StreamJob& job, const std::function<void(int percent)>& progress, const std::stop_token& stop);

}  // namespace brume::block
