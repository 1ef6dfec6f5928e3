// Sets aside volumes and snapshots that no record knows, and removes them after a while.
//
// Only the link moves, from volumes/ or snapshots/ into aside/ beside them. It leads to the same layer there, so that layer and all below
// it are still reachable and stay.
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "base/log.hpp"
#include "engines/block/formatted_stores.hpp"
#include "engines/block/layers.hpp"

namespace brume::block {
namespace {

constexpr char separator = '@';
constexpr size_t few_orphans = 3;  // orphans that crashes may leave in a store that has hardly anything else

}  // namespace

Result<void> LayerStore::set_aside(LinkKind kind, const std::string& id, Time now) {
  const auto name = id + separator + format_iso8601(now);
  const auto from = link_path(kind, id);
  const auto to = link_path(LinkKind::aside, name);
  step("aside.move");
  // A link that is there already belongs to another one, and stays.
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0)
    return fail_system("cannot set " + id + " aside", errno);
  {
    const std::lock_guard lock(mutex_);
    // The new link first, so that the layer is reachable at every moment.
    const std::string layer = links_[static_cast<size_t>(kind)].layers[id];
    set_link(LinkKind::aside, name, layer);
    set_link(kind, id, {});
  }
  step("aside.sync");
  if (auto settled = settle(LinkKind::aside); !settled) return settled;
  return settle(kind);
}

std::vector<std::string> LayerStore::drop_aside(Time before) {
  std::vector<std::string> dropped;
  for (const auto& name : ids(LinkKind::aside)) {
    const auto at = name.rfind(separator);
    const auto since = at == std::string::npos ? std::nullopt : parse_iso8601(std::string_view(name).substr(at + 1));
    // A name without a time was put there by somebody, who will also remove it.
    if (!since || *since >= before) continue;
    if (auto gone = unlink(LinkKind::aside, name); !gone)
      log::warning("block", "{}", gone.error().message);
    else
      dropped.push_back(name);
  }
  return dropped;
}

Result<void> LayerStore::check_owners() const {
  size_t orphans = 0;
  size_t all = 0;
  {
    const auto owned = users();
    const std::lock_guard lock(mutex_);
    all = layers_.size();
    for (const auto& [name, layer] : layers_) orphans += owned.count(name) == 0 ? 1 : 0;
  }
  if (orphans <= few_orphans || orphans * 2 <= all) return {};
  return fail(ErrorKind::broken,
              fmt::format("to {0} of the {1} files in {2}/layers no link in {2}/volumes or {2}/snapshots leads, so those "
                          "links are lost. Nothing was removed: put the two folders back from a copy, or move {2}/layers away",
                          orphans, all, folder_));
}

Result<Swept> LayerStore::sweep(const std::function<bool(const std::string& id)>& known, Time now, milliseconds keep_aside) {
  if (auto owned = check_owners(); !owned) return fail(owned.error());
  Swept swept;
  swept.removed = remove_unfinished();
  const auto counts = [&](const std::string& id) { return is_formatted_id(id) || known(id); };
  // A missing one may have been moved away, or be on a disk that is not mounted: nothing else is removed until somebody has looked.
  if (const auto id = dangling(counts); !id.empty()) {
    log::error("block", "{} leads to a file that is not there: nothing of {} is removed", id, folder_);
    return swept;
  }
  for (const auto kind : {LinkKind::volume, LinkKind::snapshot})
    for (const auto& id : ids(kind)) {
      if (counts(id)) continue;
      if (auto moved = set_aside(kind, id, now); !moved) return fail(moved.error());
      swept.set_aside.push_back(id);
    }
  for (auto& name : drop_aside(now - keep_aside)) swept.removed.push_back(std::move(name));
  for (auto& layer : collect()) swept.removed.push_back(std::move(layer));
  return swept;
}

}  // namespace brume::block
