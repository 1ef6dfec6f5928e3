// Bytes of volumes and snapshots that no machine has open, read and written by QEMU's tools: one process per call. To copy a lot of them,
// use a server instead (qemu-storage-daemon); for clients that fetch a snapshot's blocks this is enough.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "engines/block/block_engine.hpp"

namespace brume::block {

struct ImageFile {
  std::string path;
  bool encrypted = false;
};

// qcow2 files, each on top of the next; the last has none below it, whatever its header says.
using ImageChain = std::vector<ImageFile>;

// Describes a chain to QEMU's programs, as JSON. Nodes that are referred to later get the name that `names` has for their place; the key of
// encrypted files is the secret "key".
std::string node_text(const ImageChain& chain, const std::map<size_t, std::string>& names);

// Where the files have something: bytes, or zeroes that hide what is below. In ascending order; adjacent parts are merged.
Result<std::vector<Extent>> mapped_extents(const ImageChain& chain, const std::string& key);
// The union of the parts, in order.
std::vector<Extent> merge_extents(std::vector<Extent> extents);

// Copies the chain's content into `to`, a fresh qcow2 file that is at least as large and is encrypted with the key; no file of the chain is
// encrypted.
Result<void> encrypt_image(const ImageChain& chain, const std::string& to, const std::string& key,
                           const std::function<void(int percent)>& progress);

Result<std::string> read_image(const ImageChain& chain, std::uint64_t offset, std::uint64_t bytes, const std::string& key);
// Durable when it returns.
Result<void> write_image(const ImageChain& chain, std::uint64_t offset, std::string_view data, const std::string& key);

}  // namespace brume::block
