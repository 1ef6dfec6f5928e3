// Checks that a disk image is complete. QEMU's tools read whatever lies beyond the end of a file as zeroes, so a truncated image, as after
// a download that broke off, would become a disk with holes. Here every place that the image's own tables name is compared with the length
// of its file. An intact image of any program passes; anything else is refused before a byte is copied.
#pragma once

#include <string>

#include "base/result.hpp"
#include "engines/block/image_import.hpp"

namespace brume::block {

// `invalid`, with a sentence for the user, if something is missing or the tables contradict each other.
Result<void> check_image_is_whole(const std::string& file, const ImageFacts& facts);

}  // namespace brume::block
