// A stranger's disk image becomes a qcow2 file of ours. The image is hostile until shown otherwise: it may name other files of the
// host as its backing file, its data file or its extents, or be made to eat memory and time.
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
  std::uint64_t file_bytes = 0;  // what it takes on its disk
  // Size and time of change of the file when it was looked at.
  std::pair<std::int64_t, std::int64_t> stamp = {};
};

// `invalid`, with a sentence for the user, when it is not one whole disk image in a format that is taken (image_damage.hpp).
Result<ImageFacts> examine_image(const std::string& file);
// The verdict on what `qemu-img info --output=json` said of `file`; pure.
Result<ImageFacts> judge_image(const std::string& file, const std::string& info);

// Writes the image's content as qcow2 to `to`, which must not exist.
Result<void> convert_image(const std::string& file, const ImageFacts& facts, const std::string& to,
                           const std::function<void(int percent)>& progress);

// Runs a qemu-img that was asked to show its progress (-p), which goes through `progress_file` and into `progress`. `exhausted` when the
// disk was full, else `invalid`.
Result<void> run_with_progress(Command command, const std::string& progress_file, const std::function<void(int percent)>& progress);

}  // namespace brume::block
