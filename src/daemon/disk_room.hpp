// How much room the disks have that the installation lies on, and what that means: for `brume status`.
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

// "ok"; "low": an operator wants to know; "full": nothing new is made on it, and guests that write may stand still.
std::string_view judge_room(std::uint64_t free_bytes, std::uint64_t total_bytes);

// The error of a start, said anew when a disk of the home is the cause: what is full, and what may go.
Error explain_start(Error error, const std::string& home);

// Of this home; one where state and volumes are on the same disk. A disk that cannot be asked is left out.
std::vector<DiskRoom> look_at_disks(const std::string& home);

}  // namespace brume::daemon
