// An empty encrypted qcow2 file over another of the same key, written directly. QEMU's own way makes a LUKS header anew, and for that it
// times its key derivation: seconds of a processor for each snapshot and each clone.
//
// The new file gets the LUKS header of the one below: the same key opens it, and the same master key, which is only in that header,
// encrypts it. So all files of one volume, its snapshots and their clones share a master key, as they share the volume's key. Whoever
// has the disk but no key could see where two of these files have equal bytes at equal places, and nothing else of them.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace brume::block {

struct Qcow2Overlay {
  std::string path;        // must not be there
  std::string below;       // the file below, where it is
  std::string below_name;  // as the new one's header shall name it
  std::uint64_t virtual_bytes = 0;
};

// `broken`: the file below is not an encrypted qcow2 file of the form that we make.
Result<void> write_encrypted_overlay(const Qcow2Overlay& overlay);

}  // namespace brume::block
