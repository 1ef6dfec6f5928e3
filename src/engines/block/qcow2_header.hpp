// The few facts that stand in the first bytes of a qcow2 file of our own making: read directly, since asking qemu-img costs a process.
// Files of others are never read with this; qemu-img knows their ways.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace brume::block {

struct Qcow2Header {
  std::uint64_t virtual_bytes = 0;
  std::string backing_file;  // as written in it; empty: none
  bool encrypted = false;    // LUKS
};

Result<Qcow2Header> read_qcow2_header(const std::string& path);

}  // namespace brume::block
