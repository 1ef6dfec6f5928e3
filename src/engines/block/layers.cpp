#include "engines/block/layers.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <iterator>

#include "base/descriptor.hpp"
#include "base/files.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "engines/block/qcow2_header.hpp"

namespace brume::block {
namespace {

constexpr std::string_view suffix = ".qcow2";
constexpr std::string_view part = ".part";
constexpr LinkKind kinds[] = {LinkKind::volume, LinkKind::snapshot};

const char* folder_name(LinkKind kind) {
  constexpr std::array<const char*, 3> names = {"volumes", "snapshots", "aside"};
  return names[static_cast<size_t>(kind)];
}

size_t index_of(LinkKind kind) { return static_cast<size_t>(kind); }

// The content of a folder; empty if it does not exist.
Result<std::vector<std::filesystem::directory_entry>> entries_of(const std::string& folder) {
  std::vector<std::filesystem::directory_entry> entries;
  std::error_code code;
  for (std::filesystem::directory_iterator at(folder, code), end; !code && at != end; at.increment(code)) entries.push_back(*at);
  if (code && code != std::errc::no_such_file_or_directory) return fail_system("cannot list " + folder, code.value());
  return entries;
}

// The volume or snapshot that a layer was made for: "vol-X" for "layers/vol-X.3.qcow2".
std::string maker_of(const std::string& layer) {
  const auto name = std::filesystem::path(layer).stem().string();
  return generation_of(layer) == 0 ? name : name.substr(0, name.rfind('.'));
}

// Turns "../layers/x.qcow2", as named by a file in `folder` ("volumes"), into "layers/x.qcow2".
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
  if (auto read = read_layers(); !read) return read;
  for (const auto kind : kinds) {
    if (auto read = read_links(kind); !read) return read;
    if (auto adopted = old ? adopt_old_files(kind) : Result<void>(); !adopted) return adopted;
    // The names that we see may be ones that an earlier daemon could not sync; from here on files depend on them.
    if (auto settled = settle(kind); !settled) return settled;
  }
  if (auto read = read_links(LinkKind::aside); !read) return read;
  if (auto settled = settle(LinkKind::aside); !settled) return settled;
  // Made last: as long as it is not there, not all old files have got their links.
  return make_folders(folder_ + "/layers", 0711);
}

Result<void> LayerStore::read_layers() {
  for (const auto* name : {"layers", "volumes", "snapshots"}) {
    const auto entries = entries_of(folder_ + "/" + name);
    if (!entries) return fail(entries.error());
    for (const auto& entry : *entries) {
      const auto file = entry.path().filename().string();
      std::error_code code;
      if (!file.ends_with(suffix) || entry.is_symlink(code)) continue;
      const auto added = add(std::string(name) + "/" + file);
      if (added) continue;
      // Not a layer at all: it is reported with the link that leads to it. Other causes may pass, and must not be taken for a loss.
      if (added.error().kind != ErrorKind::broken) return added;
      log::error("block", "{}", added.error().message);
    }
  }
  return {};
}

Result<void> LayerStore::read_links(LinkKind kind) {
  const auto entries = entries_of(folder_ + "/" + folder_name(kind));
  if (!entries) return fail(entries.error());
  for (const auto& entry : *entries) {
    const auto id = entry.path().filename().string();
    std::error_code code;
    const bool is_link = entry.is_symlink(code);
    // In aside/ a name has a time after the id.
    if (!code && (!is_link || (kind != LinkKind::aside && !is_id(id)))) continue;
    const auto named = code ? std::filesystem::path() : std::filesystem::read_symlink(entry.path(), code);
    if (code) return fail_system("cannot read the link " + entry.path().string(), code.value());
    const auto layer = layer_named(folder_name(kind), named.string());
    const std::lock_guard lock(mutex_);
    set_link(kind, id, layer);
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
  const auto& links = links_[index_of(kind)].layers;
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

std::vector<std::string> LayerStore::ids(LinkKind kind, const std::string& prefix) const {
  std::vector<std::string> all;
  const std::lock_guard lock(mutex_);
  const auto& links = links_[index_of(kind)].layers;
  for (auto at = links.lower_bound(prefix); at != links.end() && at->first.starts_with(prefix); ++at) all.push_back(at->first);
  return all;
}

std::map<std::string, std::int64_t> LayerStore::users() const {
  std::map<std::string, std::int64_t> counts;
  const std::lock_guard lock(mutex_);
  for (const auto& links : links_)
    for (const auto& [id, layer] : links.layers)
      for (auto at = layers_.find(layer); at != layers_.end(); at = layers_.find(at->second.below)) ++counts[at->first];
  return counts;
}

bool LayerStore::serves_others(const std::string& layer, const std::string& above) const {
  const std::lock_guard lock(mutex_);
  if (is_named(layer)) return true;
  const auto found = above_.find(layer);
  if (found == above_.end()) return false;
  return found->second.size() > 1 || found->second.count(above) == 0;
}

std::string LayerStore::reserve(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto prefix = "layers/" + id + ".";
  std::int64_t last = 0;
  const auto look = [&](auto at, auto end, auto name_of) {
    for (; at != end && name_of(*at).starts_with(prefix); ++at) last = std::max(last, generation_of(name_of(*at)));
  };
  const auto itself = [](const std::string& name) -> const std::string& { return name; };
  look(layers_.lower_bound(prefix), layers_.end(), [](const auto& entry) -> const std::string& { return entry.first; });
  look(reserved_.lower_bound(prefix), reserved_.end(), itself);
  look(leaving_.lower_bound(prefix), leaving_.end(), itself);
  auto name = prefix + std::to_string(last + 1) + std::string(suffix);
  reserved_.insert(name);
  return name;
}

void LayerStore::release(const std::string& layer) {
  const std::lock_guard lock(mutex_);
  if (const auto one = reserved_.find(layer); one != reserved_.end()) reserved_.erase(one);
  if (layers_.count(layer) != 0) loose_.insert(layer);
}

std::string LayerStore::hold(LinkKind kind, const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto& links = links_[index_of(kind)].layers;
  const auto found = links.find(id);
  if (found == links.end()) return {};
  reserved_.insert(found->second);
  return found->second;
}

Result<Layer> LayerStore::read_layer(const std::string& layer) const {
  const auto header = read_qcow2_header(path_of(layer));
  if (!header) return fail(header.error());
  Layer read;
  read.encrypted = header->encrypted;
  if (!header->backing_file.empty()) read.below = layer_named(std::filesystem::path(layer).parent_path().string(), header->backing_file);
  return read;
}

Result<void> LayerStore::add(const std::string& layer) {
  auto made = read_layer(layer);
  if (!made) return fail(made.error());
  const std::lock_guard lock(mutex_);
  set_layer(layer, std::move(*made));
  return {};
}

Result<void> LayerStore::keep(const std::string& made, const std::string& layer, unsigned mode) {
  auto kept = publish(made, path_of(layer), mode);
  if (kept) kept = add(layer);
  // The name is reserved for it, and no link leads there.
  if (!kept) ::unlink(path_of(layer).c_str());
  return kept;
}

Result<void> LayerStore::reread(const std::string& layer) {
  auto read = read_layer(layer);
  if (!read) return fail(read.error());
  {
    const std::lock_guard lock(mutex_);
    const auto known = layers_.find(layer);
    if (known != layers_.end() && known->second.below == read->below) return {};
  }
  // Together with everything that it holds itself, before what it stood on may be removed.
  if (auto synced = sync_path(path_of(layer)); !synced) return synced;
  const std::lock_guard lock(mutex_);
  set_layer(layer, std::move(*read));
  return {};
}

Result<void> LayerStore::link(LinkKind kind, const std::string& id, const std::string& layer) {
  {
    const std::lock_guard lock(mutex_);
    if (layers_.count(layer) == 0) return fail(ErrorKind::broken, "the file " + path_of(layer) + " is not there");
    reserved_.insert(layer);
  }
  const Held held(*this, layer);
  const auto path = link_path(kind, id);
  const auto made = path + std::string(part);
  ::unlink(made.c_str());
  if (::symlink(("../" + layer).c_str(), made.c_str()) != 0) return fail_system("cannot make the link " + made, errno);
  if (::rename(made.c_str(), path.c_str()) != 0) {
    const int code = errno;
    ::unlink(made.c_str());
    return fail_system("cannot rename " + made, code);
  }
  {
    const std::lock_guard lock(mutex_);
    set_link(kind, id, layer);
  }
  return settle(kind);
}

Result<void> LayerStore::unlink(LinkKind kind, const std::string& id) {
  const auto path = link_path(kind, id);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_system("cannot remove " + path, errno);
  {
    const std::lock_guard lock(mutex_);
    set_link(kind, id, {});
  }
  // Synced before the layers are removed: a link must not outlive what it names.
  return settle(kind);
}

Result<void> LayerStore::settle(LinkKind kind) {
  auto& links = links_[index_of(kind)];
  std::uint64_t change = 0;
  {
    const std::lock_guard lock(mutex_);
    if (links.synced == links.changes) return {};
    change = links.changes;
  }
  if (auto synced = sync_path(folder_ + "/" + folder_name(kind)); !synced) return synced;
  const std::lock_guard lock(mutex_);
  links.synced = std::max(links.synced, change);
  std::erase_if(links.doubts, [&](const Doubt& doubt) {
    if (doubt.change > change) return false;
    loose_.insert(doubt.layer);
    return true;
  });
  return {};
}

void LayerStore::refer(const std::string& name, int by) {
  if (name.empty()) return;
  const auto above = above_.find(name);
  const auto named = named_.find(name);
  if (above != above_.end() && above->second.empty()) above_.erase(above);
  if (named != named_.end() && named->second == 0) named_.erase(named);
  const bool referred = above_.count(name) != 0 || named_.count(name) != 0;
  if (referred && layers_.count(name) == 0)
    missing_.insert(name);
  else
    missing_.erase(name);
  if (by < 0) loose_.insert(name);
}

void LayerStore::set_link(LinkKind kind, const std::string& id, const std::string& layer) {
  auto& links = links_[index_of(kind)];
  const auto found = links.layers.find(id);
  const auto before = found == links.layers.end() ? std::string() : found->second;
  if (layer.empty())
    links.layers.erase(id);
  else
    links.layers[id] = layer;
  ++links.changes;
  if (!before.empty() && before != layer) links.doubts.push_back({links.changes, before});
  if (!before.empty()) --named_[before];
  if (!layer.empty()) ++named_[layer];
  refer(layer, 1);
  refer(before, -1);
}

void LayerStore::set_layer(const std::string& name, Layer layer) {
  drop_layer(name);
  const auto below = layer.below;
  layers_[name] = std::move(layer);
  missing_.erase(name);
  loose_.insert(name);
  if (below.empty()) return;
  above_[below].insert(name);
  refer(below, 1);
}

void LayerStore::drop_layer(const std::string& name) {
  const auto found = layers_.find(name);
  if (found == layers_.end()) return;
  const auto below = found->second.below;
  layers_.erase(found);
  refer(name, 0);
  if (below.empty()) return;
  above_[below].erase(name);
  refer(below, -1);
}

bool LayerStore::is_named(const std::string& name) const {
  if (named_.count(name) != 0 || reserved_.count(name) != 0) return true;
  return std::any_of(std::begin(links_), std::end(links_), [&](const Links& links) {
    return std::any_of(links.doubts.begin(), links.doubts.end(), [&](const Doubt& doubt) { return doubt.layer == name; });
  });
}

std::string LayerStore::find_dangling(const std::function<bool(const std::string& id)>& counts) const {
  if (missing_.empty()) return {};
  for (const auto& links : links_)
    for (const auto& [id, layer] : links.layers) {
      if (counts && !counts(id)) continue;
      size_t depth = 0;
      for (auto name = layer; !name.empty(); ++depth) {
        const auto at = layers_.find(name);
        if (at == layers_.end() || depth > layers_.size()) return id;
        name = at->second.below;
      }
    }
  return {};
}

std::string LayerStore::dangling(const std::function<bool(const std::string& id)>& counts) const {
  const std::lock_guard lock(mutex_);
  return find_dangling(counts);
}

// Read from the disk, whatever the maps say: the link of the volume or snapshot that the layer was made for.
bool LayerStore::disk_leads_to(const std::string& layer) const {
  const auto id = maker_of(layer);
  return std::any_of(std::begin(kinds), std::end(kinds), [&](LinkKind kind) {
    std::error_code code;
    const auto named = std::filesystem::read_symlink(link_path(kind, id), code);
    if (!code) return layer_named(folder_name(kind), named.string()) == layer;
    return code != std::errc::no_such_file_or_directory && code != std::errc::invalid_argument;
  });
}

std::pair<std::string, Layer> LayerStore::take_garbage() {
  const std::lock_guard lock(mutex_);
  if (const auto id = find_dangling({}); !id.empty()) {
    if (id != complained_of_) log::error("block", "{} leads to a file that is not there; until it is removed, no file is", id);
    complained_of_ = id;
    return {};
  }
  complained_of_.clear();
  while (!loose_.empty()) {
    const auto name = loose_.extract(loose_.begin()).value();
    const auto found = layers_.find(name);
    if (found == layers_.end() || is_named(name) || above_.count(name) != 0) continue;
    if (disk_leads_to(name)) {
      log::error("block", "{} is kept: a link on the disk leads to it that memory does not know", name);
      continue;
    }
    const auto layer = found->second;
    leaving_.insert(name);
    drop_layer(name);
    return {name, layer};
  }
  return {};
}

std::vector<std::string> LayerStore::collect() {
  std::vector<std::string> removed;
  std::vector<std::string> kept;
  for (auto one = take_garbage(); !one.first.empty(); one = take_garbage()) {
    step("collect");
    const auto path = path_of(one.first);
    const bool gone = ::unlink(path.c_str()) == 0 || errno == ENOENT;
    if (!gone) log::error("block", "{}", system_error("cannot remove " + path, errno).message);
    if (gone) removed.push_back(one.first);
    const std::lock_guard lock(mutex_);
    leaving_.erase(one.first);
    if (!gone) {
      // Held, so that this loop does not find it again.
      reserved_.insert(one.first);
      set_layer(one.first, one.second);
      kept.push_back(one.first);
    }
  }
  for (const auto& name : kept) release(name);
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
