// Volumes and snapshots as qcow2 files. A clone is an empty qcow2 file on top of the snapshot's: constant time. Each file names its base
// relative to itself ("../snapshots/snap-….qcow2"), so the whole folder can be moved.
//
//   volumes/vol-….qcow2      0600, the machine's user's
//   snapshots/snap-….qcow2   0444: read by every machine on top of it
//   boot/aki-…               0444
//   *.part                   being made; renamed when whole and synced
//
// The folders may be passed through but not listed by others (0711).
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <mutex>

#include <fmt/core.h>

#include "base/descriptor.hpp"
#include "base/files.hpp"
#include "base/log.hpp"
#include "base/process.hpp"
#include "engines/block/block_engine.hpp"
#include "engines/block/image_import.hpp"
#include "engines/block/qcow2_header.hpp"

namespace brume::block {
namespace {

constexpr std::string_view suffix = ".qcow2";
constexpr std::string_view part = ".part";
constexpr std::string_view format_options = "cluster_size=64k,lazy_refcounts=off,compat=1.1";
// New volumes are refused before the last room goes: what runs needs some to go on.
constexpr std::uint64_t least_free = 256ULL << 20;

bool is_id(std::string_view id) {
  return !id.empty() && id.size() <= 40 && id.front() != '-' && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

Result<void> check_id(const std::string& id) {
  if (is_id(id)) return {};
  return fail(ErrorKind::invalid, "'" + id + "' is not an id");
}

Result<void> sync_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || ::fsync(file.get()) != 0) return fail_system("cannot sync " + path, errno);
  return {};
}

// Gives a finished file its name for good.
Result<void> publish(const std::string& made, const std::string& path, mode_t mode) {
  if (::chmod(made.c_str(), mode) != 0) return fail_system("cannot set the mode of " + made, errno);
  if (auto synced = sync_file(made); !synced) return synced;
  if (::rename(made.c_str(), path.c_str()) != 0) return fail_system("cannot rename " + made, errno);
  return sync_file(std::filesystem::path(path).parent_path().string());
}

Result<void> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_system("cannot remove " + path, errno);
  return {};
}

// Removes the unfinished file unless it was published.
class Unfinished {
 public:
  explicit Unfinished(std::string path) : path_(std::move(path)) { ::unlink(path_.c_str()); }
  ~Unfinished() { ::unlink(path_.c_str()); }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

Error explain(Error error) {
  if (error.message.find("No space left") != std::string::npos || error.message.find("Disk quota exceeded") != std::string::npos)
    error.kind = ErrorKind::exhausted;
  return error;
}

class FileBlockEngine final : public BlockEngine {
 public:
  explicit FileBlockEngine(std::string folder) : folder_(std::move(folder)) {}
  Result<void> prepare();

  Result<void> create(const std::string& volume_id, std::uint64_t bytes) override {
    return check_id(volume_id).and_then([&] { return make_volume(volume_id, "", bytes); });
  }
  Result<void> clone(const std::string& volume_id, const std::string& snapshot_id, std::uint64_t bytes) override;
  Result<void> remove_volume(const std::string& volume_id) override;
  Result<void> remove_snapshot(const std::string& snapshot_id) override;
  Result<OpenVolume> open(const std::string& volume_id, unsigned user) override;
  Result<Usage> usage(const std::string& volume_id) override;
  Result<std::uint64_t> import_snapshot(const std::string& snapshot_id, const std::string& file,
                                        const std::function<void(int percent)>& progress) override;
  Result<void> import_boot_file(const std::string& image_id, const std::string& file) override;
  Result<std::string> boot_file(const std::string& image_id) override;
  Result<void> remove_boot_file(const std::string& image_id) override {
    return check_id(image_id).and_then([&] { return remove_file(boot_path(image_id)); });
  }
  Result<std::vector<std::string>> sweep(const std::function<bool(const std::string& id)>& known) override;

 private:
  std::string volume_path(const std::string& id) const { return folder_ + "/volumes/" + id + std::string(suffix); }
  std::string snapshot_path(const std::string& id) const { return folder_ + "/snapshots/" + id + std::string(suffix); }
  std::string boot_path(const std::string& id) const { return folder_ + "/boot/" + id; }

  Result<void> make_volume(const std::string& volume_id, const std::string& snapshot_id, std::uint64_t bytes);
  Result<void> check_room(std::uint64_t wanted) const;
  std::vector<std::string> ids_in(const char* name) const;

  const std::string folder_;
  std::mutex mutex_;  // for bases_: which snapshot a volume stands on, as the files say
  std::map<std::string, std::string> bases_;
};

Result<void> FileBlockEngine::prepare() {
  for (const auto* name : {"/volumes", "/snapshots", "/boot"})
    if (auto made = make_folders(folder_ + name, 0711); !made) return made;
  for (const auto& id : ids_in("volumes")) {
    const auto header = read_qcow2_header(volume_path(id));
    if (!header) {
      log::warning("block", "{}", header.error().message);
      continue;
    }
    if (!header->backing_file.empty()) bases_[id] = std::filesystem::path(header->backing_file).stem().string();
  }
  return {};
}

Result<void> FileBlockEngine::check_room(std::uint64_t wanted) const {
  const auto free = free_bytes(folder_);
  if (!free) return fail(free.error());
  if (*free >= least_free + wanted) return {};
  return fail(ErrorKind::exhausted, "only " + std::to_string(*free >> 20) + " MiB are left on the disk of " + folder_);
}

Result<void> FileBlockEngine::make_volume(const std::string& volume_id, const std::string& snapshot_id, std::uint64_t bytes) {
  if (path_exists(volume_path(volume_id))) return fail(ErrorKind::exists, volume_id + " is already there");
  if (auto room = check_room(0); !room) return room;
  const Unfinished made(volume_path(volume_id) + std::string(part));
  Command command;
  command.program = "qemu-img";
  command.folder = folder_ + "/volumes";
  command.arguments = {"create", "-q", "-f", "qcow2", "-o", std::string(format_options)};
  if (!snapshot_id.empty()) {
    command.arguments.insert(command.arguments.end(), {"-F", "qcow2", "-b", "../snapshots/" + snapshot_id + std::string(suffix)});
  }
  command.arguments.insert(command.arguments.end(), {made.path(), std::to_string(bytes)});
  if (auto created = run_checked(command); !created) return fail(explain(created.error()).within("cannot make " + volume_id));
  return publish(made.path(), volume_path(volume_id), 0600).map_error([&](const Error& error) {
    return explain(error).within("cannot make " + volume_id);
  });
}

Result<void> FileBlockEngine::clone(const std::string& volume_id, const std::string& snapshot_id, std::uint64_t bytes) {
  for (const auto& id : {volume_id, snapshot_id})
    if (auto valid = check_id(id); !valid) return valid;
  {
    // Noted before the file is there, so that the snapshot cannot go meanwhile.
    const std::lock_guard lock(mutex_);
    if (bases_.count(volume_id) != 0) return fail(ErrorKind::exists, volume_id + " is already there");
    if (!path_exists(snapshot_path(snapshot_id))) return fail(ErrorKind::not_found, snapshot_id + " is not there");
    bases_[volume_id] = snapshot_id;
  }
  const auto header = read_qcow2_header(snapshot_path(snapshot_id));
  auto made = header ? make_volume(volume_id, snapshot_id, std::max(bytes, header->virtual_bytes)) : Result<void>(fail(header.error()));
  if (!made) {
    const std::lock_guard lock(mutex_);
    bases_.erase(volume_id);
  }
  return made;
}

Result<void> FileBlockEngine::remove_volume(const std::string& volume_id) {
  if (auto valid = check_id(volume_id); !valid) return valid;
  if (auto removed = remove_file(volume_path(volume_id)); !removed) return removed;
  const std::lock_guard lock(mutex_);
  bases_.erase(volume_id);
  return {};
}

Result<void> FileBlockEngine::remove_snapshot(const std::string& snapshot_id) {
  if (auto valid = check_id(snapshot_id); !valid) return valid;
  const std::lock_guard lock(mutex_);
  for (const auto& [volume, snapshot] : bases_)
    if (snapshot == snapshot_id) return fail(ErrorKind::refused, fmt::format("{} cannot go: {} stands on it", snapshot_id, volume));
  return remove_file(snapshot_path(snapshot_id));
}

Result<OpenVolume> FileBlockEngine::open(const std::string& volume_id, unsigned user) {
  if (auto valid = check_id(volume_id); !valid) return fail(valid.error());
  const auto path = volume_path(volume_id);
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return errno == ENOENT ? fail(ErrorKind::not_found, volume_id + " is not there") : fail_system("cannot open " + path, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail_system("cannot examine " + path, errno);
  if (status.st_uid != user && ::fchown(file.get(), user, user) != 0) return fail_system("cannot give " + path + " to its machine", errno);
  return OpenVolume{path, "qcow2"};
}

Result<Usage> FileBlockEngine::usage(const std::string& volume_id) {
  if (auto valid = check_id(volume_id); !valid) return fail(valid.error());
  struct stat status {};
  if (::stat(volume_path(volume_id).c_str(), &status) != 0) return fail(ErrorKind::not_found, volume_id + " is not there");
  const auto header = read_qcow2_header(volume_path(volume_id));
  if (!header) return fail(header.error());
  return Usage{header->virtual_bytes, static_cast<std::uint64_t>(status.st_blocks) * 512};
}

Result<std::uint64_t> FileBlockEngine::import_snapshot(const std::string& snapshot_id, const std::string& file,
                                                       const std::function<void(int percent)>& progress) {
  if (auto valid = check_id(snapshot_id); !valid) return fail(valid.error());
  if (path_exists(snapshot_path(snapshot_id))) return fail(ErrorKind::exists, snapshot_id + " is already there");
  const auto facts = examine_image(file);
  if (!facts) return fail(facts.error());
  if (auto room = check_room(facts->file_bytes); !room) return fail(room.error().within("cannot import " + file));
  const Unfinished made(snapshot_path(snapshot_id) + std::string(part));
  if (auto converted = convert_image(file, *facts, made.path(), progress); !converted) return fail(converted.error());
  const auto header = read_qcow2_header(made.path());
  if (!header) return fail(header.error());
  if (!header->backing_file.empty()) return fail(ErrorKind::invalid, file + " changed while it was read");
  if (auto published = publish(made.path(), snapshot_path(snapshot_id), 0444); !published) return fail(explain(published.error()));
  if (progress) progress(100);
  return header->virtual_bytes;
}

Result<void> FileBlockEngine::import_boot_file(const std::string& image_id, const std::string& file) {
  if (auto valid = check_id(image_id); !valid) return valid;
  std::error_code code;
  const auto size = std::filesystem::file_size(file, code);
  if (code) return fail_system("cannot read " + file, code.value());
  if (auto room = check_room(size); !room) return fail(room.error().within("cannot keep " + file));
  const Unfinished made(boot_path(image_id) + std::string(part));
  std::filesystem::copy_file(file, made.path(), code);
  if (code) return fail_system("cannot copy " + file, code.value());
  return publish(made.path(), boot_path(image_id), 0444);
}

Result<std::string> FileBlockEngine::boot_file(const std::string& image_id) {
  if (auto valid = check_id(image_id); !valid) return fail(valid.error());
  if (!path_exists(boot_path(image_id))) return fail(ErrorKind::not_found, image_id + " is not there");
  return boot_path(image_id);
}

std::vector<std::string> FileBlockEngine::ids_in(const char* name) const {
  std::vector<std::string> ids;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ + "/" + name, code)) {
    auto file = entry.path().filename().string();
    if (!file.ends_with(suffix)) continue;
    file.resize(file.size() - suffix.size());
    if (is_id(file)) ids.push_back(std::move(file));
  }
  return ids;
}

Result<std::vector<std::string>> FileBlockEngine::sweep(const std::function<bool(const std::string& id)>& known) {
  std::vector<std::string> removed;
  std::error_code code;
  for (const auto* name : {"/volumes", "/snapshots", "/boot"})
    for (const auto& entry : std::filesystem::directory_iterator(folder_ + name, code)) {
      const auto file = entry.path().filename().string();
      if (!file.ends_with(part) && !file.ends_with(std::string(part) + ".progress")) continue;
      if (remove_file(entry.path().string())) removed.push_back(file);
    }
  for (const auto& id : ids_in("volumes"))
    if (!known(id) && remove_volume(id)) removed.push_back(id);
  // One that a known volume stands on stays, whoever forgot it.
  for (const auto& id : ids_in("snapshots"))
    if (!known(id) && remove_snapshot(id)) removed.push_back(id);
  return removed;
}

}  // namespace

Result<std::unique_ptr<BlockEngine>> make_file_block_engine(const std::string& folder) {
  auto engine = std::make_unique<FileBlockEngine>(std::filesystem::absolute(folder).lexically_normal().string());
  if (auto prepared = engine->prepare(); !prepared) return fail(prepared.error());
  return engine;
}

}  // namespace brume::block
