#include "base/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/descriptor.hpp"

namespace brume {
namespace {

Result<std::string> read_from(int descriptor, const std::string& path, size_t limit) {
  std::string content;
  char buffer[16384];
  while (true) {
    const auto got = ::read(descriptor, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_system("cannot read " + path, errno);
    if (got == 0) return content;
    if (content.size() + static_cast<size_t>(got) > limit) return fail(ErrorKind::broken, path + " is larger than expected");
    content.append(buffer, static_cast<size_t>(got));
  }
}

Result<void> write_all(int descriptor, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const auto done = ::write(descriptor, content.data(), content.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return fail_system("cannot write " + path, errno);
    content.remove_prefix(static_cast<size_t>(done));
  }
  return {};
}

Result<void> write_new_file(const std::string& path, std::string_view content, unsigned mode) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, static_cast<mode_t>(mode)));
  if (!file) return fail_system("cannot create " + path, errno);
  // Sets the requested mode, whatever the umask is.
  if (::fchmod(file.get(), static_cast<mode_t>(mode)) != 0) return fail_system("cannot set the mode of " + path, errno);
  if (auto written = write_all(file.get(), content, path); !written) return written;
  if (::fsync(file.get()) != 0) return fail_system("cannot sync " + path, errno);
  return {};
}

// EINVAL: this file system has nothing to sync for a folder.
Result<void> sync_folder(const std::string& path) {
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || (::fsync(folder.get()) != 0 && errno != EINVAL)) return fail_system("cannot sync " + path, errno);
  return {};
}

}  // namespace

void Descriptor::close() {
  if (number_ >= 0) ::close(std::exchange(number_, -1));
}

Result<std::string> read_file(const std::string& path, size_t limit) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_system("cannot open " + path, errno);
  return read_from(file.get(), path, limit);
}

Result<std::string> read_file_from(const std::string& path, std::uint64_t offset, size_t limit) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_system("cannot open " + path, errno);
  std::string content(limit, '\0');
  size_t done = 0;
  while (done < content.size()) {
    const auto got = ::pread(file.get(), content.data() + done, content.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_system("cannot read " + path, errno);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  content.resize(done);
  return content;
}

Result<std::string> read_file_tail(const std::string& path, size_t limit) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return fail_system("cannot open " + path, errno);
  const auto start = std::max<off_t>(0, status.st_size - static_cast<off_t>(limit));
  // Bounded by the size seen above, so that a file that grows while it is read does not keep us busy.
  return read_file_from(path, static_cast<std::uint64_t>(start), static_cast<size_t>(status.st_size - start));
}

Result<void> write_file(const std::string& path, std::string_view content, unsigned mode) {
  const std::string temporary = path + ".new";
  ::unlink(temporary.c_str());
  auto written = write_new_file(temporary, content, mode);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) written = fail_system("cannot rename " + temporary, errno);
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  const auto parent = std::filesystem::path(path).parent_path();
  return sync_folder(parent.empty() ? "." : parent.string());
}

Result<void> make_folders(const std::string& path, unsigned mode) {
  if (path_exists(path)) return {};
  const auto parent = std::filesystem::path(path).parent_path();
  if (!parent.empty() && parent != path)
    if (auto made = make_folders(parent, mode); !made) return made;
  if (::mkdir(path.c_str(), static_cast<mode_t>(mode)) != 0 && errno != EEXIST) return fail_system("cannot create folder " + path, errno);
  ::chmod(path.c_str(), static_cast<mode_t>(mode));
  return {};
}

bool path_exists(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

Result<std::uint64_t> free_bytes(const std::string& path) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) return fail_system("cannot examine " + path, errno);
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace brume
