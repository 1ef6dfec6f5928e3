// The files of the file engine, and which stands on which.
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
// A layer names the one below it in its header, relative to itself, so the whole folder can be moved. Links are replaced by renaming:
// after a crash there is the old one or the new one. A layer that no link reaches, directly or through other layers, is
// garbage-collected. So deleting a volume or a snapshot removes a link, and never what another needs. Others may pass through the
// folders but not list them (0711).
//
// The maps mirror the file system: each change of a link reaches them at once, before the folder is synced. Until that sync has
// succeeded a crash may bring the old link back, so the layer that it named is kept; the next call makes up for a failed sync
// (settle). Nothing is removed while a link dangles, because the chain below the gap cannot be known.
//
// Threads: any; one mutex guards the maps. Files are removed without it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "engines/block/block_engine.hpp"

namespace brume::block {

enum class LinkKind { volume, snapshot, aside };

struct Layer {
  std::string below;  // name of the layer below; empty: none
  bool encrypted = false;
};

class LayerStore {
 public:
  LayerStore(std::string folder, StepHook hook) : folder_(std::move(folder)), hook_(std::move(hook)) {}

  // Reads what is there; fails if anything cannot be read, because unknown layers would be taken for orphans. Files from before there were
  // layers become layers under their old names.
  Result<void> load();

  const std::string& folder() const { return folder_; }
  std::string path_of(const std::string& layer) const { return folder_ + "/" + layer; }
  std::string link_path(LinkKind kind, const std::string& id) const;
  // `layer` as another layer in layers/ names it.
  static std::string relative(const std::string& layer) { return layer.starts_with("layers/") ? layer.substr(7) : "../" + layer; }

  // The layer that the link leads to; empty: there is no such link.
  std::string target(LinkKind kind, const std::string& id) const;
  // The layer and all below it, itself first. `broken` if a file is missing.
  Result<std::vector<std::string>> chain(const std::string& layer) const;
  bool encrypted(const std::string& layer) const;
  // The links whose ids begin with `prefix`.
  std::vector<std::string> ids(LinkKind kind, const std::string& prefix = {}) const;
  // How many volumes and snapshots reach each layer.
  std::map<std::string, std::int64_t> users() const;
  // Whether a link leads to it, or layers other than `above` stand on it.
  bool serves_others(const std::string& layer, const std::string& above) const;

  // A name for a new layer of this volume or snapshot, which collect() spares until release().
  std::string reserve(const std::string& id);
  // target(), which collect() spares until release(), even if the link is removed. Empty: no such link, and nothing to release.
  std::string hold(LinkKind kind, const std::string& id);
  void release(const std::string& layer);
  // Makes a finished file the layer whose name was reserved; if that fails nothing of it stays.
  Result<void> keep(const std::string& made, const std::string& layer, unsigned mode);
  // The machine, or a tool, changed the layer's header: `below` is what it stands on now. Synced if it is another layer than before,
  // because the previous one may be removed from now on.
  Result<void> reread(const std::string& layer);
  // `broken`: there is no such layer. After any other failure the link may exist, and settle() makes it durable.
  Result<void> link(LinkKind kind, const std::string& id, const std::string& layer);
  Result<void> unlink(LinkKind kind, const std::string& id);
  // Makes the links of this kind durable. Costs nothing unless a sync has failed.
  Result<void> settle(LinkKind kind);
  // Garbage-collects layers; returns the names of those removed. Removes none while a link dangles.
  std::vector<std::string> collect();
  // See BlockEngine::sweep.
  Result<Swept> sweep(const std::function<bool(const std::string& id)>& known, Time now, milliseconds keep_aside);
  // A volume or snapshot whose link dangles, considering only ids for which `counts` is true; empty: there is none.
  std::string dangling(const std::function<bool(const std::string& id)>& counts) const;
  // Removes files that were half made when a crash came.
  std::vector<std::string> remove_unfinished() const;

  void step(std::string_view name) const {
    if (hook_) hook_(name);
  }

 private:
  // Moves the link into aside/: what it leads to stays, and no volume or snapshot has the name.
  Result<void> set_aside(LinkKind kind, const std::string& id, Time now);
  // Removes the links that were set aside before this time; returns their names.
  std::vector<std::string> drop_aside(Time before);
  // `broken`: no link leads to most of the layers. A crash leaves few such layers; many mean that links were lost.
  Result<void> check_owners() const;
  struct Doubt {
    std::uint64_t change;  // number of the change that made it
    std::string layer;
  };
  // The links of one kind.
  struct Links {
    std::map<std::string, std::string> layers;  // by id
    std::uint64_t changes = 1;                  // number of changes in the folder; the first was before this process
    std::uint64_t synced = 0;                   // the changes up to this one are durable
    std::vector<Doubt> doubts;                  // targets of links before changes that are not durable: a crash may bring them back
  };

  Result<Layer> read_layer(const std::string& layer) const;
  Result<void> read_layers();
  Result<void> read_links(LinkKind kind);
  Result<void> adopt_old_files(LinkKind kind);
  Result<void> add(const std::string& layer);
  // Call all of these with the mutex held.
  void set_link(LinkKind kind, const std::string& id, const std::string& layer);  // empty: removes the link
  void set_layer(const std::string& name, Layer layer);
  void drop_layer(const std::string& name);
  void refer(const std::string& name, int by);   // one more or one fewer link or layer leads to it
  bool is_named(const std::string& name) const;  // reached by a link, by one that a crash may bring back, or by somebody who holds it
  std::string find_dangling(const std::function<bool(const std::string& id)>& counts) const;
  bool disk_leads_to(const std::string& layer) const;
  // A garbage layer, already removed from the maps; empty: there is none.
  std::pair<std::string, Layer> take_garbage();

  const std::string folder_;
  const StepHook hook_;
  mutable std::mutex mutex_;
  std::map<std::string, Layer> layers_;
  Links links_[3];  // by kind
  std::multiset<std::string> reserved_;
  std::map<std::string, std::set<std::string>> above_;  // the layers that stand on a layer
  std::map<std::string, std::int64_t> named_;           // number of links that lead to a layer
  std::set<std::string> missing_;                       // named or stood on, but missing
  std::set<std::string> loose_;                         // possibly garbage
  std::set<std::string> leaving_;                       // being removed: their names are not given out again
  std::string complained_of_;                           // the dangling link that was logged
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

// "vol-…", "i-…-ephemeral0": safe as a file's name.
bool is_id(std::string_view id);
// The number in a layer's name: 3 in "layers/vol-X.3.qcow2"; 0 if there is none.
std::int64_t generation_of(std::string_view layer);
Result<void> sync_path(const std::string& path);
// Gives a finished file its final name.
Result<void> publish(const std::string& made, const std::string& path, unsigned mode);

}  // namespace brume::block
