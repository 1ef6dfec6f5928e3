#include "engines/compute/machine_folder.hpp"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <string_view>

#include "base/descriptor.hpp"
#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "engines/compute/qemu_arguments.hpp"

namespace brume::compute {
namespace {

constexpr off_t largest = 1 << 20;      // a console or log larger than this is cut
constexpr off_t remaining = 128 << 10;  // twice what GetConsoleOutput gives
constexpr off_t grain = 64 << 10;       // a multiple of the block size of every file system
constexpr size_t most_words = 600;

constexpr std::array<std::string_view, 3> end_names = {"guest_shutdown", "died", "killed"};

Result<void> make_file(const std::string& path, std::optional<unsigned> owner) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return fail_system("cannot create " + path, errno);
  if (owner && ::fchown(file.get(), *owner, *owner) != 0) return fail_system("cannot give away " + path, errno);
  return {};
}

// Changes with each boot of the host.
std::string host_boot() {
  const auto text = read_file("/proc/sys/kernel/random/boot_id", 256);
  return text ? std::string(trim(*text)) : "unknown";
}

// QEMU writes at the end (O_APPEND) whatever we cut, so it need not be told. Returns how many bytes were cut.
std::uint64_t cut(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || status.st_size <= largest) return 0;
  const off_t dropped = (status.st_size - remaining) / grain * grain;
  // Removes the old part in one step, so that nothing that arrives meanwhile is lost.
  if (::fallocate(file.get(), FALLOC_FL_COLLAPSE_RANGE, 0, dropped) == 0) return static_cast<std::uint64_t>(dropped);
  // Not every file system can do that: what arrives between the two steps is lost.
  const auto tail = read_file_tail(path, static_cast<size_t>(remaining));
  if (::ftruncate(file.get(), 0) != 0) return 0;
  const auto gone = static_cast<std::uint64_t>(status.st_size) - (tail ? tail->size() : 0);
  if (!tail) return gone;
  const Descriptor end(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW));
  if (end) [[maybe_unused]]
    const auto written = ::write(end.get(), tail->data(), tail->size());
  return gone;
}

// "2026-11-21T03:40:15.123456Z qemu-system-x86_64: text" → "text".
std::string_view without_prefix(std::string_view line) {
  constexpr std::string_view program = "qemu-system-x86_64: ";
  const auto found = line.find(program);
  return found == std::string_view::npos ? line : line.substr(found + program.size());
}

}  // namespace

bool ProcessName::alive(std::optional<unsigned> user) const {
  if (number <= 0 || before_restart) return false;
  if (process_start_time(number) != started) return false;
  const auto folder = "/proc/" + std::to_string(number);
  if (const auto text = read_file(folder + "/stat")) {
    // A zombie (some containers have no init that would reap it) has ended.
    const auto name_end = text->rfind(')');
    if (name_end != std::string::npos && text->substr(name_end).starts_with(") Z")) return false;
  }
  struct stat status {};
  return !user || (::stat(folder.c_str(), &status) == 0 && (status.st_uid == *user || status.st_uid == 0));
}

Result<void> MachineFolder::prepare(std::optional<unsigned> user) const {
  remove();
  if (auto made = make_folders(path_, 0711); !made) return made;
  if (auto made = make_file(console_file(path_), user); !made) return made;
  return make_file(log_file(path_), std::nullopt);
}

void MachineFolder::remove() const {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

bool MachineFolder::exists() const { return path_exists(path_); }

Result<void> MachineFolder::keep_process(const ProcessName& process) const {
  return write_file(path_ + "/process", std::to_string(process.number) + " " + std::to_string(process.started) + " " + host_boot() + "\n");
}

std::optional<ProcessName> MachineFolder::process() const {
  const auto text = read_file(path_ + "/process", 256);
  if (!text) return std::nullopt;
  const auto parts = split(trim(*text), ' ');
  if (parts.size() != 2 && parts.size() != 3) return std::nullopt;
  const auto number = parse_integer(parts[0]);
  const auto started = parse_integer(parts[1]);
  if (!number || !started || *number <= 0 || *started < 0) return std::nullopt;
  // An older daemon did not record which boot of the host it was.
  return ProcessName{static_cast<pid_t>(*number), static_cast<std::uint64_t>(*started), parts.size() == 3 && parts[2] != host_boot()};
}

void MachineFolder::keep_end(const MachineEnd& end) const {
  const auto text = std::string(end_names[static_cast<size_t>(end.how)]) + "\n" + end.detail;
  if (auto kept = write_file(path_ + "/ended", text); !kept) return;
  for (const auto& path : {path_ + "/process", qmp_socket(), serial_socket()}) ::unlink(path.c_str());
}

std::optional<MachineEnd> MachineFolder::end() const {
  const auto text = read_file(path_ + "/ended", 64 << 10);
  if (!text) return std::nullopt;
  const auto line = text->find('\n');
  const auto name = std::string_view(*text).substr(0, line);
  const auto found = std::find(end_names.begin(), end_names.end(), name);
  if (found == end_names.end()) return std::nullopt;
  return MachineEnd{static_cast<MachineEnd::How>(found - end_names.begin()), line == std::string::npos ? "" : text->substr(line + 1)};
}

std::string MachineFolder::last_words() const {
  const auto text = read_file_tail(log_file(path_), 4096);
  if (!text) return {};
  const auto said = trim(*text);
  return std::string(without_prefix(said.substr(said.rfind('\n') == std::string_view::npos ? 0 : said.rfind('\n') + 1)));
}

std::string MachineFolder::words() const {
  const auto text = read_file_tail(log_file(path_), 4096);
  if (!text) return {};
  std::string out;
  for (const auto line : split(trim(*text), '\n')) {
    if (!out.empty()) out += "; ";
    out += without_prefix(line);
  }
  return out.size() <= most_words ? out : out.substr(out.size() - most_words);
}

std::uint64_t MachineFolder::bound() const {
  cut(log_file(path_));
  return cut(console_file(path_));
}

}  // namespace brume::compute
