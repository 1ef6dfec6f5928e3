// File systems where two files may share blocks until one of them is written to (btrfs, xfs): what is copied there costs neither time nor
// room. On others, such as ext4, the same functions copy.
#pragma once

#include <functional>
#include <string>

#include "base/result.hpp"

namespace brume::block {

// Makes `target`, an open and empty file, share all blocks of `source`, as ioctl FICLONE does; 0 or an errno. Tests put another in its
// place.
using CloneFile = std::function<int(int target, int source)>;
int clone_file(int target, int source);

// Could a file in `folder` share blocks with this one? Tried out, with a file that has no name.
bool can_share_blocks(const std::string& file, const std::string& folder, const CloneFile& clone = clone_file);

// Copies a file to one that is not there yet, sharing blocks where that is possible.
Result<void> copy_file(const std::string& from, const std::string& to, const CloneFile& clone = clone_file);

}  // namespace brume::block
