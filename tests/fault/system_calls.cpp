#undef _FORTIFY_SOURCE  // its inline functions would stand in the way
#include "system_calls.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace brume::faults {
namespace {

struct State {
  bool armed = false;
  pid_t process = 0;  // a child that is about to become another program is none of ours
  std::string folder;
  int at = 0;
  int error = 0;
  int seen = 0;
  std::string where;
};

State& state() {
  static State one;
  return one;
}

std::function<void(const std::string&)>& synced() {
  static std::function<void(const std::string&)> one;
  return one;
}

std::string path_of(int descriptor) {
  std::array<char, 64> link{};
  std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", descriptor);
  std::array<char, PATH_MAX> path{};
  static const auto real = reinterpret_cast<ssize_t (*)(const char*, char*, size_t)>(::dlsym(RTLD_NEXT, "readlink"));
  const auto size = real(link.data(), path.data(), path.size() - 1);
  return size > 0 ? std::string(path.data(), static_cast<size_t>(size)) : std::string();
}

// True, with errno set: this call is the one.
bool fails(const char* call, std::string_view path, int likely) {
  auto& now = state();
  if (!now.armed || now.process != ::getpid() || !path.starts_with(now.folder)) return false;
  if (++now.seen != now.at) return false;
  now.where = std::string(call) + " " + std::string(path);
  errno = now.error != 0 ? now.error : likely;
  return true;
}

bool is_armed() { return state().armed; }

bool fails(const char* call, int descriptor, int likely) { return is_armed() && fails(call, path_of(descriptor), likely); }

// Some calls name a file in an open folder.
std::string full_path(int folder, const char* path) {
  if (!is_armed() || path[0] == '/' || folder == AT_FDCWD) return path;
  return path_of(folder) + "/" + path;
}

int note_sync(int result, int descriptor) {
  const int code = errno;
  if (result == 0 && synced()) {
    const Pause pause;
    synced()(path_of(descriptor));
  }
  errno = code;
  return result;
}

mode_t mode_in(int flags, va_list arguments) { return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0; }

}  // namespace

Injection::Injection(const std::string& folder, int at, int error) {
  state() = State{false, ::getpid(), folder, at, error, 0, {}};
  state().armed = true;
}

Injection::~Injection() { state().armed = false; }

bool Injection::struck() const { return !state().where.empty(); }

std::string Injection::where() const { return state().where; }

Pause::Pause() : was_armed_(state().armed) { state().armed = false; }
Pause::~Pause() { state().armed = was_armed_; }

std::string make_test_folder() {
  struct statvfs memory {};
  constexpr std::uint64_t enough = 2ULL << 30;
  const bool fits = ::statvfs("/dev/shm", &memory) == 0 && std::uint64_t{memory.f_bavail} * memory.f_frsize > enough;
  std::string name = std::string(fits ? "/dev/shm" : "/tmp") + "/brume-faults-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  return name;
}

void on_sync(std::function<void(const std::string& path)> call) { synced() = std::move(call); }

}  // namespace brume::faults

using brume::faults::fails;
using brume::faults::full_path;
using brume::faults::mode_in;
using brume::faults::note_sync;

// The C library's function that the next name of this program hides.
#define REAL(name) static const auto real = reinterpret_cast<decltype(&::name)>(::dlsym(RTLD_NEXT, #name))

#define OPENING(name)                                                  \
  int name(const char* path, int flags, ...) {                         \
    va_list arguments;                                                 \
    va_start(arguments, flags);                                        \
    const auto mode = mode_in(flags, arguments);                       \
    va_end(arguments);                                                 \
    REAL(name);                                                        \
    return fails("open", path, EMFILE) ? -1 : real(path, flags, mode); \
  }

#define OPENING_AT(name)                                                                          \
  int name(int folder, const char* path, int flags, ...) {                                        \
    va_list arguments;                                                                            \
    va_start(arguments, flags);                                                                   \
    const auto mode = mode_in(flags, arguments);                                                  \
    va_end(arguments);                                                                            \
    REAL(name);                                                                                   \
    return fails("open", full_path(folder, path), EMFILE) ? -1 : real(folder, path, flags, mode); \
  }

extern "C" {

OPENING(open)
OPENING(open64)
OPENING_AT(openat)
OPENING_AT(openat64)

int fsync(int file) {
  REAL(fsync);
  return fails("fsync", file, EIO) ? -1 : note_sync(real(file), file);
}
int fdatasync(int file) {
  REAL(fdatasync);
  return fails("fdatasync", file, EIO) ? -1 : note_sync(real(file), file);
}
int rename(const char* from, const char* to) noexcept {
  REAL(rename);
  return fails("rename", to, ENOSPC) ? -1 : real(from, to);
}
int unlink(const char* path) noexcept {
  REAL(unlink);
  return fails("unlink", path, EIO) ? -1 : real(path);
}
int symlink(const char* target, const char* path) noexcept {
  REAL(symlink);
  return fails("symlink", path, ENOSPC) ? -1 : real(target, path);
}
ssize_t readlink(const char* path, char* buffer, size_t size) noexcept {
  REAL(readlink);
  return fails("readlink", path, EIO) ? -1 : real(path, buffer, size);
}
int mkdir(const char* path, mode_t mode) noexcept {
  REAL(mkdir);
  return fails("mkdir", path, ENOSPC) ? -1 : real(path, mode);
}
int chmod(const char* path, mode_t mode) noexcept {
  REAL(chmod);
  return fails("chmod", path, EIO) ? -1 : real(path, mode);
}
int fchmod(int file, mode_t mode) noexcept {
  REAL(fchmod);
  return fails("fchmod", file, EIO) ? -1 : real(file, mode);
}
int fchown(int file, uid_t user, gid_t group) noexcept {
  REAL(fchown);
  return fails("fchown", file, EIO) ? -1 : real(file, user, group);
}
int ftruncate(int file, off_t size) noexcept {
  REAL(ftruncate);
  return fails("ftruncate", file, ENOSPC) ? -1 : real(file, size);
}
int ftruncate64(int file, off64_t size) noexcept {
  REAL(ftruncate64);
  return fails("ftruncate", file, ENOSPC) ? -1 : real(file, size);
}
int statvfs(const char* path, struct statvfs* status) noexcept {
  REAL(statvfs);
  return fails("statvfs", path, EIO) ? -1 : real(path, status);
}
ssize_t read(int file, void* buffer, size_t size) {
  REAL(read);
  return fails("read", file, EIO) ? -1 : real(file, buffer, size);
}
ssize_t pread(int file, void* buffer, size_t size, off_t offset) {
  REAL(pread);
  return fails("pread", file, EIO) ? -1 : real(file, buffer, size, offset);
}
ssize_t pread64(int file, void* buffer, size_t size, off64_t offset) {
  REAL(pread64);
  return fails("pread", file, EIO) ? -1 : real(file, buffer, size, offset);
}
ssize_t write(int file, const void* buffer, size_t size) {
  REAL(write);
  return fails("write", file, ENOSPC) ? -1 : real(file, buffer, size);
}
ssize_t pwrite(int file, const void* buffer, size_t size, off_t offset) {
  REAL(pwrite);
  return fails("pwrite", file, ENOSPC) ? -1 : real(file, buffer, size, offset);
}
ssize_t pwrite64(int file, const void* buffer, size_t size, off64_t offset) {
  REAL(pwrite64);
  return fails("pwrite", file, ENOSPC) ? -1 : real(file, buffer, size, offset);
}

}  // extern "C"
