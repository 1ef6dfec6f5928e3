#include "engines/block/layers.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "base/descriptor.hpp"
#include "base/files.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "engines/block/qcow2_header.hpp"

namespace brume::block {
namespace {

constexpr std::string_view suffix = ".qcow2";
constexpr std::string_view part = ".part";

const char* folder_name(LinkKind kind) {
  constexpr std::array<const char*, 3> names = {"volumes", "snapshots", "aside"};
  return names[static_cast<size_t>(kind)];
}

size_t index_of(LinkKind kind) { return static_cast<size_t>(kind); }

// "../layers/x.qcow2", as said by a file in `folder` ("volumes"), is "layers/x.qcow2".
std::string layer_named(const std::string& folder, const std::string& name) {
  return (std::filesystem::path(folder) / name).lexically_normal().string();
}

}  // namespace

bool is_id(std::string_view id) {
  return !id.empty() && id.size() <= 40 && id.front() != '-' && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

std::int64_t generation_of(std::string_view layer) {
  if (!layer.ends_with(suffix)) return 0;
  layer.remove_suffix(suffix.size());
  const auto dot = layer.rfind('.');
  return dot == std::string_view::npos ? 0 : parse_integer(layer.substr(dot + 1)).value_or(0);
}

Result<void> sync_path(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || ::fsync(file.get()) != 0) return fail_system("cannot sync " + path, errno);
  return {};
}

Result<void> publish(const std::string& made, const std::string& path, unsigned mode) {
  if (::chmod(made.c_str(), mode) != 0) return fail_system("cannot set the mode of " + made, errno);
  if (auto synced = sync_path(made); !synced) return synced;
  if (::rename(made.c_str(), path.c_str()) != 0) return fail_system("cannot rename " + made, errno);
  return sync_path(std::filesystem::path(path).parent_path().string());
}

std::string LayerStore::link_path(LinkKind kind, const std::string& id) const { return folder_ + "/" + folder_name(kind) + "/" + id; }

Result<void> LayerStore::load() {
  for (const auto* name : {"/volumes", "/snapshots", "/boot", "/aside"})
    if (auto made = make_folders(folder_ + name, 0711); !made) return made;
  const bool old = !path_exists(folder_ + "/layers");
  std::error_code code;
  for (const auto* name : {"layers", "volumes", "snapshots"})
    for (const auto& entry : std::filesystem::directory_iterator(folder_ + "/" + name, code)) {
      const auto file = entry.path().filename().string();
      if (entry.is_symlink() || !file.ends_with(suffix)) continue;
      if (auto added = add(std::string(name) + "/" + file); !added) log::warning("block", "{}", added.error().message);
    }
  for (const auto kind : {LinkKind::volume, LinkKind::snapshot}) {
    if (auto read = read_links(kind); !read) return read;
    if (auto adopted = old ? adopt_old_files(kind) : Result<void>(); !adopted) return adopted;
  }
  if (auto read = read_links(LinkKind::aside); !read) return read;
  // Made last: as long as it is not there, the old files have not all got their links.
  return make_folders(folder_ + "/layers", 0711);
}

Result<void> LayerStore::read_links(LinkKind kind) {
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ + "/" + folder_name(kind), code)) {
    const auto id = entry.path().filename().string();
    if (!entry.is_symlink() || (kind != LinkKind::aside && !is_id(id))) continue;
    const auto layer = layer_named(folder_name(kind), std::filesystem::read_symlink(entry.path(), code).string());
    const std::lock_guard lock(mutex_);
    links_[index_of(kind)][id] = layer;
    if (layers_.count(layer) == 0) log::error("block", "{} has lost its file {}", id, layer);
  }
  return {};
}

Result<void> LayerStore::adopt_old_files(LinkKind kind) {
  std::vector<std::string> old;
  {
    const std::lock_guard lock(mutex_);
    const auto prefix = std::string(folder_name(kind)) + "/";
    for (const auto& [name, layer] : layers_)
      if (name.starts_with(prefix)) old.push_back(name);
  }
  for (const auto& layer : old) {
    const auto id = std::filesystem::path(layer).stem().string();
    if (!is_id(id) || !target(kind, id).empty()) continue;
    if (auto linked = link(kind, id, layer); !linked) return linked;
  }
  return {};
}

std::string LayerStore::target(LinkKind kind, const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto& links = links_[index_of(kind)];
  const auto found = links.find(id);
  return found == links.end() ? std::string() : found->second;
}

Result<std::vector<std::string>> LayerStore::chain(const std::string& layer) const {
  std::vector<std::string> found;
  const std::lock_guard lock(mutex_);
  for (auto name = layer; !name.empty();) {
    const auto at = layers_.find(name);
    if (at == layers_.end() || found.size() > layers_.size()) return fail(ErrorKind::broken, "the file " + path_of(name) + " is not there");
    found.push_back(name);
    name = at->second.below;
  }
  return found;
}

bool LayerStore::encrypted(const std::string& layer) const {
  const std::lock_guard lock(mutex_);
  const auto at = layers_.find(layer);
  return at != layers_.end() && at->second.encrypted;
}

std::vector<std::string> LayerStore::ids(LinkKind kind) const {
  std::vector<std::string> all;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, layer] : links_[index_of(kind)]) all.push_back(id);
  return all;
}

std::map<std::string, std::int64_t> LayerStore::users() const {
  std::map<std::string, std::int64_t> counts;
  const std::lock_guard lock(mutex_);
  for (const auto& links : links_)
    for (const auto& [id, layer] : links)
      for (auto at = layers_.find(layer); at != layers_.end(); at = layers_.find(at->second.below)) ++counts[at->first];
  return counts;
}

bool LayerStore::serves_others(const std::string& layer, const std::string& above) const {
  const std::lock_guard lock(mutex_);
  if (reserved_.count(layer) != 0) return true;
  for (const auto& links : links_)
    for (const auto& [id, named] : links)
      if (named == layer) return true;
  return std::any_of(layers_.begin(), layers_.end(), [&](const auto& each) { return each.second.below == layer && each.first != above; });
}

std::string LayerStore::reserve(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto prefix = "layers/" + id + ".";
  std::int64_t last = 0;
  const auto look = [&](const std::string& name) {
    if (name.starts_with(prefix)) last = std::max(last, generation_of(name));
  };
  for (const auto& [name, layer] : layers_) look(name);
  for (const auto& name : reserved_) look(name);
  auto name = prefix + std::to_string(last + 1) + std::string(suffix);
  reserved_.insert(name);
  return name;
}

void LayerStore::release(const std::string& layer) {
  const std::lock_guard lock(mutex_);
  if (const auto one = reserved_.find(layer); one != reserved_.end()) reserved_.erase(one);
}

std::string LayerStore::hold(LinkKind kind, const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto& links = links_[index_of(kind)];
  const auto found = links.find(id);
  if (found == links.end()) return {};
  reserved_.insert(found->second);
  return found->second;
}

Result<void> LayerStore::add(const std::string& layer) {
  const auto header = read_qcow2_header(path_of(layer));
  if (!header) return fail(header.error());
  Layer made;
  made.encrypted = header->encrypted;
  if (!header->backing_file.empty()) made.below = layer_named(std::filesystem::path(layer).parent_path().string(), header->backing_file);
  const std::lock_guard lock(mutex_);
  layers_[layer] = std::move(made);
  return {};
}

Result<void> LayerStore::link(LinkKind kind, const std::string& id, const std::string& layer) {
  const auto path = link_path(kind, id);
  const auto made = path + std::string(part);
  ::unlink(made.c_str());
  if (::symlink(("../" + layer).c_str(), made.c_str()) != 0) return fail_system("cannot make the link " + made, errno);
  if (::rename(made.c_str(), path.c_str()) != 0) return fail_system("cannot rename " + made, errno);
  if (auto synced = sync_path(folder_ + "/" + folder_name(kind)); !synced) return synced;
  const std::lock_guard lock(mutex_);
  links_[index_of(kind)][id] = layer;
  return {};
}

Result<void> LayerStore::unlink(LinkKind kind, const std::string& id) {
  const auto path = link_path(kind, id);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_system("cannot remove " + path, errno);
  // On the disk before the layers go: a link must not outlive what it names.
  if (auto synced = sync_path(folder_ + "/" + folder_name(kind)); !synced) return synced;
  const std::lock_guard lock(mutex_);
  links_[index_of(kind)].erase(id);
  return {};
}

std::set<std::string> LayerStore::needed() const {
  std::set<std::string> found(reserved_.begin(), reserved_.end());
  const auto follow = [&](std::string name) {
    while (!name.empty() && found.insert(name).second) {
      const auto at = layers_.find(name);
      name = at == layers_.end() ? std::string() : at->second.below;
    }
  };
  for (const auto& name : reserved_)
    if (const auto at = layers_.find(name); at != layers_.end()) follow(at->second.below);
  for (const auto& links : links_)
    for (const auto& [id, layer] : links) follow(layer);
  return found;
}

std::vector<std::string> LayerStore::collect() {
  std::vector<std::string> removed;
  const std::lock_guard lock(mutex_);
  const auto kept = needed();
  for (auto at = layers_.begin(); at != layers_.end();) {
    if (kept.count(at->first) != 0) {
      ++at;
      continue;
    }
    step("collect");
    if (::unlink(path_of(at->first).c_str()) != 0 && errno != ENOENT) {
      log::error("block", "{}", system_error("cannot remove " + path_of(at->first), errno).message);
      ++at;
      continue;
    }
    removed.push_back(at->first);
    at = layers_.erase(at);
  }
  return removed;
}

std::vector<std::string> LayerStore::remove_unfinished() const {
  std::vector<std::string> removed;
  std::error_code code;
  for (const auto* name : {"layers", "volumes", "snapshots", "boot"})
    for (const auto& entry : std::filesystem::directory_iterator(folder_ + "/" + name, code)) {
      const auto file = entry.path().filename().string();
      if (!file.ends_with(part) && !file.ends_with(std::string(part) + ".progress")) continue;
      if (::unlink(entry.path().c_str()) == 0) removed.push_back(file);
    }
  return removed;
}

}  // namespace brume::block
