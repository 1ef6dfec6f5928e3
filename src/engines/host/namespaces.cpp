#include "engines/host/namespaces.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <filesystem>
#include <mutex>
#include <thread>

#include "base/descriptor.hpp"
#include "base/files.hpp"
#include "base/text.hpp"

namespace brume::host {
namespace {

constexpr const char* folder = "/run/netns";

// A shared mount of its own, as iproute2 wants it: so a namespace that is made or removed in one mount namespace is visible in all.
Result<void> prepare_folder() {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (auto made = make_folders(folder, 0755); !made) return made;
  if (::mount("", folder, "none", MS_SHARED | MS_REC, nullptr) == 0) return {};
  if (errno != EINVAL) return fail_system("cannot share /run/netns", errno);
  if (::mount(folder, folder, "none", MS_BIND | MS_REC, nullptr) != 0) return fail_system("cannot mount /run/netns", errno);
  if (::mount("", folder, "none", MS_SHARED | MS_REC, nullptr) != 0) return fail_system("cannot share /run/netns", errno);
  return {};
}

Result<void> on_own_thread(const std::function<Result<void>()>& work) {
  Result<void> result;
  std::exception_ptr trouble;
  std::thread worker([&] {
    try {
      result = work();
    } catch (...) {
      trouble = std::current_exception();
    }
  });
  worker.join();
  if (trouble) std::rethrow_exception(trouble);
  return result;
}

}  // namespace

std::string namespace_path(std::string_view name) { return "/run/netns/" + std::string(name); }

bool namespace_exists(const std::string& name) {
  struct statfs info {};
  return ::statfs(namespace_path(name).c_str(), &info) == 0 && info.f_type == NSFS_MAGIC;
}

std::vector<std::string> list_namespaces(std::string_view prefix) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with(prefix) && namespace_exists(name)) names.push_back(name);
  }
  return names;
}

namespace {

// Gives a name to the namespace that `enter` leads the calling thread into.
Result<void> name_after(const std::string& name, const std::function<Result<void>()>& enter) {
  if (auto ready = prepare_folder(); !ready) return ready;
  const auto path = namespace_path(name);
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0444));
  if (!file) return fail_system("cannot make " + path, errno);
  auto made = on_own_thread([&]() -> Result<void> {
    if (auto entered = enter(); !entered) return entered;
    if (::mount("/proc/thread-self/ns/net", path.c_str(), "none", MS_BIND, nullptr) != 0)
      return fail_system("cannot name namespace " + name, errno);
    return {};
  });
  if (!made) ::unlink(path.c_str());
  return made;
}

}  // namespace

Result<void> make_namespace(const std::string& name) {
  if (namespace_exists(name)) return {};
  return name_after(name, [&]() -> Result<void> {
    if (::unshare(CLONE_NEWNET) != 0) return fail_system("cannot make namespace " + name, errno);
    return {};
  });
}

Result<Descriptor> hold_namespace(const std::string& name) {
  const auto path = namespace_path(name);
  Descriptor held(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!held) return fail_system("cannot open namespace " + path, errno);
  return held;
}

Result<void> name_namespace(const Descriptor& held, const std::string& name) {
  return name_after(name, [&]() -> Result<void> {
    if (::setns(held.get(), CLONE_NEWNET) != 0) return fail_system("cannot enter namespace " + name, errno);
    return {};
  });
}

Result<void> remove_namespace(const std::string& name) {
  const auto path = namespace_path(name);
  while (::umount2(path.c_str(), MNT_DETACH) == 0) {
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_system("cannot remove " + path, errno);
  return {};
}

Result<void> in_namespace(const std::string& name, const std::function<Result<void>()>& work) {
  const auto path = namespace_path(name);
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_system("cannot open namespace " + path, errno);
  return on_own_thread([&]() -> Result<void> {
    if (::setns(file.get(), CLONE_NEWNET) != 0) return fail_system("cannot enter namespace " + name, errno);
    return work();
  });
}

Result<void> set_network_option(const std::string& name, std::string_view value) {
  const auto path = "/proc/sys/net/" + name;
  if (const auto now = read_file(path, 64); now && trim(*now) == value) return {};
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return fail_system("cannot open " + path, errno);
  if (::write(file.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size()))
    return fail_system("cannot set " + path, errno);
  return {};
}

}  // namespace brume::host
