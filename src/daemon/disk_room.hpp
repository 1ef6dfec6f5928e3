// How much room is left on the installation's disks, and what that means: for `brume status`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace brume::daemon {

struct DiskRoom {
  std::string holds;  // "state", "volumes", "state and volumes"
  std::string path;
  std::uint64_t free_bytes = 0;
  std::uint64_t total_bytes = 0;
};

// "ok"; "low": the operator should know; "full": nothing new is made on it, and guests that write may be paused.
std::string_view judge_room(std::uint64_t free_bytes, std::uint64_t total_bytes);

// The error of a start, explained if a full disk of the home is the cause: which one, and what may be removed.
Error explain_start(Error error, const std::string& home);

// The disks of this home; one if state and volumes are on the same. A disk that cannot be asked is left out.
std::vector<DiskRoom> look_at_disks(const std::string& home);

}  // namespace brume::daemon
