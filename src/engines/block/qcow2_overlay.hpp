// Writes an empty encrypted qcow2 file over another one with the same key, directly. QEMU would make a new LUKS header, and for that it
// times its key derivation: seconds of a processor for each snapshot and each clone.
//
// The new file gets the LUKS header of the one below: the same key opens it, and the same master key, which is only in that header,
// encrypts it. So all files of one volume, its snapshots and their clones share a master key, as they share the volume's key. Somebody who
// has the disk but no key could see where two of these files have equal bytes at equal places, and nothing else.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace brume::block {

struct Qcow2Overlay {
  std::string path;        // must not exist
  std::string below;       // path of the file below
  std::string below_name;  // the name of the file below in the new one's header
  std::uint64_t virtual_bytes = 0;
};

// `broken`: the file below is not an encrypted qcow2 file in the form that we write.
Result<void> write_encrypted_overlay(const Qcow2Overlay& overlay);

}  // namespace brume::block
