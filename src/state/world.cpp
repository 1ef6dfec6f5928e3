#include "state/world.hpp"

#include <algorithm>
#include <vector>

#include "state/kinds.hpp"

namespace brume::state {

World::Record World::set(Kind kind, std::string_view key, Record record) {
  PersistentMap& records = maps_[static_cast<size_t>(kind)];
  Record before = records.get(key);
  const auto now = record ? index_entries(kind, key, record.get()) : std::vector<IndexEntry>();
  if (before) {
    for (const auto& entry : index_entries(kind, key, before.get()))
      if (std::find(now.begin(), now.end(), entry) == now.end()) indexes_[static_cast<size_t>(entry.index)].erase(entry.key);
  }
  for (const auto& entry : now) indexes_[static_cast<size_t>(entry.index)].put(entry.key, record);
  if (record) records.put(key, std::move(record));
  else if (before) records.erase(key);
  return before;
}

}  // namespace brume::state
