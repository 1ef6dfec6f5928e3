// Bytes of volumes and snapshots that no machine has open, read and written by QEMU's tools: a process for each call. Whoever copies a
// lot of them wants a server instead (qemu-storage-daemon); for now this is enough for clients that fetch a snapshot's blocks.
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

// qcow2 files, each on the next; the last on nothing, whatever its header says.
using ImageChain = std::vector<ImageFile>;

// What QEMU's programs are told of a chain, as JSON. Nodes that are spoken of later get the name that `names` has for their place; the key
// of encrypted files is the secret "key".
std::string node_text(const ImageChain& chain, const std::map<size_t, std::string>& names);

// Where the files have something: bytes, or zeroes that hide what is below. In ascending order, without gaps of none.
Result<std::vector<Extent>> mapped_extents(const ImageChain& chain, const std::string& key);
// The parts that are in any of them, in order.
std::vector<Extent> merge_extents(std::vector<Extent> extents);

// The chain's content into `to`, a fresh qcow2 file that is at least as large and encrypted with the key; no file of the chain is.
Result<void> encrypt_image(const ImageChain& chain, const std::string& to, const std::string& key,
                           const std::function<void(int percent)>& progress);

Result<std::string> read_image(const ImageChain& chain, std::uint64_t offset, std::uint64_t bytes, const std::string& key);
// On the disk when it returns.
Result<void> write_image(const ImageChain& chain, std::uint64_t offset, std::string_view data, const std::string& key);

}  // namespace brume::block
