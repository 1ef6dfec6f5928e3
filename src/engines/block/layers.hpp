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
// The maps say what the file system shows: each change of a link reaches them at once, before the folder is synced. Until that sync has
// succeeded a crash may bring the old link back, so the layer that it named is kept; a sync that failed is made up for by the next call
// (settle). Nothing is removed while a link leads to a file that is not there: the chain below the gap cannot be known.
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
  std::string below;  // name of the layer that it stands on; empty: none
  bool encrypted = false;
};

class LayerStore {
 public:
  LayerStore(std::string folder, StepHook hook) : folder_(std::move(folder)), hook_(std::move(hook)) {}

  // Reads what is there; fails when anything cannot be read, since what is not known would be taken for nobody's. Files of before there
  // were layers become layers under their old names.
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
  // Those that begin with `prefix`.
  std::vector<std::string> ids(LinkKind kind, const std::string& prefix = {}) const;
  // How many volumes and snapshots lead to each layer.
  std::map<std::string, std::int64_t> users() const;
  // Whether a link names it, or others than `above` stand on it.
  bool serves_others(const std::string& layer, const std::string& above) const;

  // A name for a new layer of this volume or snapshot, which collect() spares until release().
  std::string reserve(const std::string& id);
  // target(), which collect() spares until release(), even when the link goes. Empty: no such link, nothing to release.
  std::string hold(LinkKind kind, const std::string& id);
  void release(const std::string& layer);
  // A finished file becomes the layer whose name was reserved; when that fails nothing of it stays.
  Result<void> keep(const std::string& made, const std::string& layer, unsigned mode);
  // The machine, or a tool, changed its header: below is what it stands on now. Synced when it is another layer than before, which may
  // be removed from now on.
  Result<void> reread(const std::string& layer);
  // `broken`: there is no such layer. After any other failure the link may be there, and settle() makes it durable.
  Result<void> link(LinkKind kind, const std::string& id, const std::string& layer);
  Result<void> unlink(LinkKind kind, const std::string& id);
  // What the links of this kind say is durable. Costs nothing when no sync has failed.
  Result<void> settle(LinkKind kind);
  // Removes the layers that are nobody's; returns their names. Removes none while a link dangles.
  std::vector<std::string> collect();
  // BlockEngine::sweep.
  Result<Swept> sweep(const std::function<bool(const std::string& id)>& known, Time now, milliseconds keep_aside);
  // A volume or snapshot that leads to a file that is not there, if `counts` says so of its id; empty: there is none.
  std::string dangling(const std::function<bool(const std::string& id)>& counts) const;
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
  struct Doubt {
    std::uint64_t change;  // number of the change that it comes from
    std::string layer;
  };
  // The links of one kind.
  struct Links {
    std::map<std::string, std::string> layers;  // by id
    std::uint64_t changes = 1;                  // how often one changed in the folder; the first was before us
    std::uint64_t synced = 0;                   // the changes up to this one are durable
    std::vector<Doubt> doubts;                  // what links named before changes that are not: a crash may bring them back
  };

  Result<Layer> read_layer(const std::string& layer) const;
  Result<void> read_layers();
  Result<void> read_links(LinkKind kind);
  Result<void> adopt_old_files(LinkKind kind);
  Result<void> add(const std::string& layer);
  // All of these with the mutex held.
  void set_link(LinkKind kind, const std::string& id, const std::string& layer);  // empty: it goes
  void set_layer(const std::string& name, Layer layer);
  void drop_layer(const std::string& name);
  void refer(const std::string& name, int by);   // one link or layer more, or less, leads to it
  bool is_named(const std::string& name) const;  // by a link, a doubt or somebody who holds it
  std::string find_dangling(const std::function<bool(const std::string& id)>& counts) const;
  bool disk_leads_to(const std::string& layer) const;
  // A layer that is nobody's, no longer in the maps; empty: there is none.
  std::pair<std::string, Layer> take_garbage();

  const std::string folder_;
  const StepHook hook_;
  mutable std::mutex mutex_;
  std::map<std::string, Layer> layers_;
  Links links_[3];  // by kind
  std::multiset<std::string> reserved_;
  std::map<std::string, std::set<std::string>> above_;  // who stands on a layer
  std::map<std::string, std::int64_t> named_;           // how many links name a layer
  std::set<std::string> missing_;                       // named or stood on, and not there
  std::set<std::string> loose_;                         // may be nobody's
  std::set<std::string> leaving_;                       // being removed: their names are not given out again
  std::string complained_of_;                           // the dangling link that the log knows of
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
