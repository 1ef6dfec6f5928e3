#include "daemon/disk_room.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>

#include "base/files.hpp"
#include "engines/block/block_engine.hpp"

namespace brume::daemon {
namespace {

constexpr std::uint64_t low_at_least = 1ULL << 30;
constexpr std::uint64_t low_at_most = 20ULL << 30;
constexpr std::uint64_t low_part = 20;  // a twentieth of the disk

}  // namespace

std::string_view judge_room(std::uint64_t free_bytes, std::uint64_t total_bytes) {
  if (free_bytes < block::least_free) return "full";
  return free_bytes < std::clamp(total_bytes / low_part, low_at_least, low_at_most) ? "low" : "ok";
}

std::vector<DiskRoom> look_at_disks(const std::string& home) {
  std::vector<DiskRoom> disks;
  dev_t first = 0;
  // The files of volumes may be on a disk of their own.
  const auto volumes = path_exists(home + "/blocks/layers") ? home + "/blocks/layers" : home;
  for (const auto& [holds, path] : {std::pair("state", home), std::pair("volumes", volumes)}) {
    struct stat status {};
    struct statvfs room {};
    if (::stat(path.c_str(), &status) != 0 || ::statvfs(path.c_str(), &room) != 0) continue;
    if (!disks.empty() && status.st_dev == first) {
      disks.front().holds += std::string(" and ") + holds;
      continue;
    }
    first = status.st_dev;
    disks.push_back({holds, path, std::uint64_t{room.f_bavail} * room.f_frsize, std::uint64_t{room.f_blocks} * room.f_frsize});
  }
  return disks;
}

}  // namespace brume::daemon
