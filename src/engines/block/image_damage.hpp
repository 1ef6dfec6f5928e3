// Is all of a disk image there? QEMU's tools read what lies behind the end of a file as zeroes, so an image of which the end is missing,
// as after a download that broke off, would become a disk with holes. Here every place that the image's own tables name is held
// against the length of its file. An intact image of any program passes; what does not is refused before a byte is copied.
#pragma once

#include <string>

#include "base/result.hpp"
#include "engines/block/image_import.hpp"

namespace brume::block {

// `invalid`, with a sentence for the user, when something is missing or the tables contradict each other.
Result<void> check_image_is_whole(const std::string& file, const ImageFacts& facts);

}  // namespace brume::block
