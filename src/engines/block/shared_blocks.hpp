// File systems on which two files may share blocks until one of them is written to (btrfs, xfs): there a copy costs neither time nor room.
// On others, such as ext4, the same functions copy.
#pragma once

#include <functional>
#include <string>

#include "base/result.hpp"

namespace brume::block {

// Makes `target`, an open and empty file, share all blocks of `source`, as ioctl FICLONE does; 0 or an errno. Tests replace it.
using CloneFile = std::function<int(int target, int source)>;
int clone_file(int target, int source);

// Whether a file in `folder` could share blocks with this one, tried out with an unnamed file.
bool can_share_blocks(const std::string& file, const std::string& folder, const CloneFile& clone = clone_file);

// Copies a file to one that does not exist yet, sharing blocks if possible.
Result<void> copy_file(const std::string& from, const std::string& to, const CloneFile& clone = clone_file);

}  // namespace brume::block
