// Turns a stranger's disk image into a qcow2 file of ours. The image is hostile until shown otherwise: it may name other files of the host
// as its backing file, data file or extents, or be made to use up memory and time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "base/process.hpp"
#include "base/result.hpp"

namespace brume::block {

struct ImageFacts {
  std::string format;  // "qcow2", "raw", "vmdk", "vpc", "vhdx"
  std::uint64_t virtual_bytes = 0;
  std::uint64_t file_bytes = 0;  // its room on the disk
  // Size and time of change of the file when it was examined.
  std::pair<std::int64_t, std::int64_t> stamp = {};
};

// `invalid`, with a sentence for the user, if it is not one whole disk image in an accepted format (image_damage.hpp).
Result<ImageFacts> examine_image(const std::string& file);
// The verdict on the output of `qemu-img info --output=json` for `file`; pure.
Result<ImageFacts> judge_image(const std::string& file, const std::string& info);

// Writes the image's content as qcow2 to `to`, which must not exist.
Result<void> convert_image(const std::string& file, const ImageFacts& facts, const std::string& to,
                           const std::function<void(int percent)>& progress);

// Runs a qemu-img with -p, which reports its progress through `progress_file` to `progress`. `exhausted` if the disk is full, else
// `invalid`.
Result<void> run_with_progress(Command command, const std::string& progress_file, const std::function<void(int percent)>& progress);

}  // namespace brume::block
