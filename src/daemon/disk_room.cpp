#include "daemon/disk_room.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>

#include <fmt/format.h>

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

Error explain_start(Error error, const std::string& home) {
  // A start itself writes less than this.
  constexpr std::uint64_t enough = 1 << 20;
  constexpr double gib = 1 << 30;
  for (const auto& disk : look_at_disks(home)) {
    struct statvfs room {};
    const bool no_files = ::statvfs(disk.path.c_str(), &room) == 0 && room.f_files > 0 && room.f_favail == 0;
    if (disk.free_bytes >= enough && !no_files) continue;
    const auto how = no_files
                         ? std::string("no file can be made on it any more")
                         : fmt::format("{} KiB of {:.1f} GiB are free", disk.free_bytes >> 10, static_cast<double>(disk.total_bytes) / gib);
    return {ErrorKind::exhausted,
            fmt::format("the disk of {0} is full ({1}), and a start has to write to it: {2}. Nothing that is stored is lost. Make room and "
                        "start again; of {3} may go: brumed.log, what is in images/, and, if nobody misses it, what is in blocks/aside",
                        disk.path, how, error.message, home)};
  }
  return error;
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
