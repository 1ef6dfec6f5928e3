#include "engines/block/layer_accounts.hpp"

#include <sys/stat.h>

#include <map>

#include "engines/block/qcow2_header.hpp"

namespace brume::block {
namespace {

// A volume has no more files than this for long: each costs its machine memory, and lengthens the search for what was never written.
constexpr size_t longest_chain = 16;

Holding holding(const LayerStore& layers, LinkKind kind, const std::string& id, const std::map<std::string, std::int64_t>& users) {
  Holding held;
  held.id = id;
  const auto chain = layers.chain(layers.target(kind, id));
  if (!chain || chain->empty()) return held;
  if (const auto header = read_qcow2_header(layers.path_of(chain->front()))) held.virtual_bytes = header->virtual_bytes;
  held.depth = static_cast<std::int64_t>(chain->size());
  for (const auto& layer : *chain) {
    const auto count = users.find(layer);
    (count != users.end() && count->second > 1 ? held.shared_bytes : held.own_bytes) += allocated(layers.path_of(layer));
  }
  return held;
}

}  // namespace

std::uint64_t allocated(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_blocks) * 512 : 0;
}

std::vector<Holding> holdings_of(const LayerStore& layers, std::initializer_list<LinkKind> kinds) {
  std::vector<Holding> all;
  const auto users = layers.users();
  for (const auto kind : kinds)
    for (const auto& id : layers.ids(kind)) all.push_back(holding(layers, kind, id, users));
  return all;
}

std::vector<Fold> foldable_of(const LayerStore& layers) {
  std::vector<Fold> folds;
  for (const auto& id : layers.ids(LinkKind::volume)) {
    const auto chain = layers.chain(layers.target(LinkKind::volume, id));
    if (!chain) continue;
    // Down to the first layer that others need; if that leaves too many, down to the last.
    size_t base = 1;
    while (base < chain->size() && !layers.serves_others((*chain)[base], (*chain)[base - 1])) ++base;
    if (base == 1 && chain->size() > longest_chain) base = chain->size() - 1;
    if (base <= 1) continue;
    Fold fold;
    fold.volume_id = id;
    if (base < chain->size()) {
      fold.base = layers.path_of((*chain)[base]);
      fold.base_name = LayerStore::relative((*chain)[base]);
    }
    for (size_t i = 1; i < base; ++i) fold.bytes += allocated(layers.path_of((*chain)[i]));
    folds.push_back(std::move(fold));
  }
  return folds;
}

}  // namespace brume::block
