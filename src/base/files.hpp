// Files as the daemon uses them: whole, small, and replaced atomically.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace brume {

// The whole file, at most `limit` bytes (a longer one is `broken`).
Result<std::string> read_file(const std::string& path, size_t limit = 16 << 20);

// The last `limit` bytes of the file.
Result<std::string> read_file_tail(const std::string& path, size_t limit);
// At most `limit` bytes, beginning at an offset; empty at the end of the file.
Result<std::string> read_file_from(const std::string& path, std::uint64_t offset, size_t limit);

// Writes beside `path`, syncs, renames over it and syncs the folder: after a crash there is the old content or the new. After an error the
// new content may be there without being durable.
Result<void> write_file(const std::string& path, std::string_view content, unsigned mode = 0600);

// Makes the folder and its parents; an existing one keeps its mode.
Result<void> make_folders(const std::string& path, unsigned mode = 0700);

bool path_exists(const std::string& path);

// Free bytes for new data on the file system that holds `path`.
Result<std::uint64_t> free_bytes(const std::string& path);

}  // namespace brume
