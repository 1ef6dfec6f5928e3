// The files of the file engine, and who stands on whom.
//
//   layers/vol-X.3.qcow2     a layer: the third file that the volume vol-X wrote to. 0600 and the machine's user's while it is written
//                            to; 0444 when something stands on it, and from then on it never changes
//   layers/snap-Y.0.qcow2    an image that was brought in
//   volumes/vol-X            a link to the layer that the volume writes to
//   snapshots/snap-Y         a link to the layer that is the snapshot; several may name the same
//   aside/vol-X@TIME         a link that was in volumes/ or snapshots/ until no record knew it. Moved back there, under its old name, it is
//                            what it was
//   *.part                   being made; renamed when whole and synced
//
// A layer names the one below it in its header, by a name relative to itself, so the whole folder can be moved. Links are replaced by
// renaming: after a crash there is the old one or the new one. A layer that no link leads to, over any number of others, is nobody's and
// is removed: so deleting a volume or a snapshot removes a link, and never what another needs. The folders may be passed through but
// not listed by others (0711).
//
// Threads: any; one mutex guards the maps.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "engines/block/block_engine.hpp"

namespace brume::block {

enum class LinkKind { volume, snapshot, aside };

struct Layer {
  std::string below;  // name of the layer that it stands on; empty: none
  bool encrypted = false;
};

class LayerStore {
 public:
  LayerStore(std::string folder, StepHook hook) : folder_(std::move(folder)), hook_(std::move(hook)) {}

  // Reads what is there. Files of before there were layers become layers under their old names.
  Result<void> load();

  const std::string& folder() const { return folder_; }
  std::string path_of(const std::string& layer) const { return folder_ + "/" + layer; }
  std::string link_path(LinkKind kind, const std::string& id) const;
  // `layer` as a layer in layers/ names it.
  static std::string relative(const std::string& layer) { return layer.starts_with("layers/") ? layer.substr(7) : "../" + layer; }

  // The layer that the link names; empty: there is no such link.
  std::string target(LinkKind kind, const std::string& id) const;
  // From the layer down, itself first. `broken` when a file is missing.
  Result<std::vector<std::string>> chain(const std::string& layer) const;
  bool encrypted(const std::string& layer) const;
  std::vector<std::string> ids(LinkKind kind) const;
  // How many volumes and snapshots lead to each layer.
  std::map<std::string, std::int64_t> users() const;
  // Whether a link names it, or others than `above` stand on it.
  bool serves_others(const std::string& layer, const std::string& above) const;

  // A name for a new layer of this volume or snapshot, which collect() spares until release().
  std::string reserve(const std::string& id);
  // target(), which collect() spares until release(), even when the link goes. Empty: no such link, nothing to release.
  std::string hold(LinkKind kind, const std::string& id);
  void release(const std::string& layer);
  // A layer that was made under its reserved name.
  Result<void> add(const std::string& layer);
  // Its header was changed: below what it stands on now.
  Result<void> reread(const std::string& layer) { return add(layer); }
  Result<void> link(LinkKind kind, const std::string& id, const std::string& layer);
  Result<void> unlink(LinkKind kind, const std::string& id);
  // Removes the layers that are nobody's; returns their names.
  std::vector<std::string> collect();
  // BlockEngine::sweep.
  Result<Swept> sweep(const std::function<bool(const std::string& id)>& known, Time now, milliseconds keep_aside);
  // Removes what was being made when a crash came.
  std::vector<std::string> remove_unfinished() const;

  void step(std::string_view name) const {
    if (hook_) hook_(name);
  }

 private:
  // The link lies in aside/ from now on: what it leads to stays, and no volume or snapshot has the name.
  Result<void> set_aside(LinkKind kind, const std::string& id, Time now);
  // Lets go of what was set aside before this; returns the names.
  std::vector<std::string> drop_aside(Time before);
  // `broken`: no link leads to most of the layers. A crash leaves few of those; so many tell of links that were lost.
  Result<void> check_owners() const;
  std::set<std::string> needed() const;
  Result<void> read_links(LinkKind kind);
  Result<void> adopt_old_files(LinkKind kind);

  const std::string folder_;
  const StepHook hook_;
  mutable std::mutex mutex_;
  std::map<std::string, Layer> layers_;
  std::map<std::string, std::string> links_[3];
  std::multiset<std::string> reserved_;
};

// Spares a layer from collect() while it lives.
class Held {
 public:
  Held(LayerStore& store, std::string layer) : store_(store), layer_(std::move(layer)) {}
  ~Held() {
    if (!layer_.empty()) store_.release(layer_);
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  const std::string& layer() const { return layer_; }

 private:
  LayerStore& store_;
  const std::string layer_;
};

// "vol-…", "i-…-ephemeral0": fit to be a file's name.
bool is_id(std::string_view id);
// The number in a layer's name: 3 of "layers/vol-X.3.qcow2"; 0 when there is none.
std::int64_t generation_of(std::string_view layer);
Result<void> sync_path(const std::string& path);
// Gives a finished file its name for good.
Result<void> publish(const std::string& made, const std::string& path, unsigned mode);

}  // namespace brume::block
