// Empty file systems and swap space for the disks of the host that instances are given. One of a size is made once, kept like a snapshot
// and cloned from then on: a launch waits for mkfs only where nobody had such a disk before.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "engines/block/block_engine.hpp"

namespace brume::block {

// What such a one is kept as: "formatted-ext3-150-ephemeral0". No account's snapshot has such an id.
std::string formatted_id(StoreContent content, std::uint64_t bytes, const std::string& name);
bool is_formatted_id(std::string_view id);

// Makes it as a qcow2 file `to`, by way of `to`.raw, both with the suffix that tells unfinished files.
Result<void> format_store(StoreContent content, std::uint64_t bytes, const std::string& to);

}  // namespace brume::block
