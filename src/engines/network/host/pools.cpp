#include "engines/network/host/pools.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/text.hpp"

namespace brume::network {
namespace {

namespace fs = std::filesystem;

constexpr int pool_prefix = 24;
constexpr unsigned ranges_in_all = 512;
constexpr size_t largest_entry = 8192;

// The device of the home's folder, or of the nearest folder above it that exists. While the home's disk is not mounted that is another
// device.
std::uint64_t device_around(const fs::path& network_folder) {
  struct stat status {};
  for (auto around = network_folder.parent_path().parent_path();; around = around.parent_path()) {
    if (::stat(around.c_str(), &status) == 0) return status.st_dev;
    if (!around.has_relative_path()) return 0;
  }
}

// Fibonacci hashing, so that neighbouring marks do not want neighbouring ranges.
std::uint32_t scatter(std::uint32_t number) { return number * 2654435769U >> 7; }

std::optional<PoolReservation> read_reservation(const std::string& folder, const std::string& mark, bool& is_gone) {
  const auto text = read_file(folder + "/" + mark, largest_entry);
  if (!text) return std::nullopt;
  // "<ranges>\n<device>\n<home>/network\n": a path may contain anything except a newline.
  const auto lines = split(trim(*text), '\n');
  if (lines.size() != 3) return std::nullopt;
  const auto ranges = parse_ipv4_blocks(std::string(lines[0]));
  const auto device = parse_integer(lines[1]);
  if (!ranges || !device) return std::nullopt;
  const fs::path place(lines[2]);
  PoolReservation found{mark, place.parent_path().string(), *ranges, true};
  const auto owner = read_file((place / "mark").string(), 64);
  if (owner && trim(*owner) == mark) return found;
  found.is_certain = false;
  is_gone = !path_exists((place / "mark").string()) && device_around(place) == static_cast<std::uint64_t>(*device);
  // Another home is there by now.
  is_gone |= owner.has_value();
  return found;
}

}  // namespace

std::vector<Ipv4Block> pool_candidates(const std::string& mark) {
  std::vector<Ipv4Block> all;
  for (unsigned i = 0; i < ranges_in_all; ++i) {
    const Ipv4Block range{benchmark_base + (i << 8), pool_prefix};
    if (!link_addresses.contains(range.base)) all.push_back(range);
  }
  const auto first = scatter(static_cast<std::uint32_t>(std::strtoul(mark.c_str(), nullptr, 16))) % all.size();
  std::rotate(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(first), all.end());
  return all;
}

Result<PoolRegistry> PoolRegistry::open(const std::string& folder) {
  if (auto made = make_folders(folder, 0755); !made) return fail(made.error());
  const auto path = folder + "/lock";
  Descriptor lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return fail_system("cannot open " + path, errno);
  while (::flock(lock.get(), LOCK_EX) != 0)
    if (errno != EINTR) return fail_system("cannot lock " + path, errno);
  return PoolRegistry(folder, std::move(lock));
}

std::vector<PoolReservation> PoolRegistry::reservations(std::vector<std::string>& freed) const {
  std::vector<PoolReservation> all;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder_, ignored)) {
    bool is_gone = false;
    auto found = read_reservation(folder_, entry.path().filename().string(), is_gone);
    if (!found) continue;
    if (!is_gone)
      all.push_back(std::move(*found));
    else if (::unlink(entry.path().c_str()) == 0)
      freed.push_back(found->mark);
  }
  return all;
}

std::string PoolRegistry::home_of(const std::string& folder, const std::string& mark) {
  bool is_gone = false;
  const auto found = read_reservation(folder, mark, is_gone);
  return found ? found->home : std::string();
}

Result<void> PoolRegistry::keep(const std::string& mark, const std::string& network_folder, const std::vector<std::string>& ranges) const {
  const auto place = fs::absolute(network_folder).lexically_normal();
  const auto text = fmt::format("{}\n{}\n{}\n", fmt::join(ranges, ","), device_around(place), place.string());
  const auto path = folder_ + "/" + mark;
  if (const auto now = read_file(path, largest_entry); now && *now == text) return {};
  return write_file(path, text, 0644);
}

}  // namespace brume::network
