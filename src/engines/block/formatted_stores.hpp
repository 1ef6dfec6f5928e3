// Empty file systems and swap space for instance stores. One of each size is made once, kept like a snapshot and cloned from then on, so a
// launch waits for mkfs only for the first disk of its size.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "engines/block/block_engine.hpp"

namespace brume::block {

// The name that such a disk is kept under: "formatted-ext3-150-ephemeral0". No account's snapshot has such an id.
std::string formatted_id(StoreContent content, std::uint64_t bytes, const std::string& name);
bool is_formatted_id(std::string_view id);

// Makes it as a qcow2 file `to`, through `to`.raw, both with the suffix of unfinished files.
Result<void> format_store(StoreContent content, std::uint64_t bytes, const std::string& to);

}  // namespace brume::block
