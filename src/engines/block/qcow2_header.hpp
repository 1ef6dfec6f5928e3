// The few facts in the first bytes of a qcow2 file that we made, read directly because qemu-img costs a process. Other people's files are
// never read with this; qemu-img knows all their forms.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace brume::block {

struct Qcow2Header {
  std::uint64_t virtual_bytes = 0;
  std::string backing_file;  // as it names it; empty: none
  bool encrypted = false;    // LUKS
};

Result<Qcow2Header> read_qcow2_header(const std::string& path);

}  // namespace brume::block
