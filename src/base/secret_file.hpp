// A secret for a child process: neither on a disk nor on a command line.
#pragma once

#include <string_view>

#include "base/descriptor.hpp"
#include "base/result.hpp"

namespace brume {

// An unnamed file in memory that holds the secret. A child that got its descriptor as number N reads it as /proc/self/fd/N.
Result<Descriptor> make_secret_file(std::string_view secret);

}  // namespace brume
