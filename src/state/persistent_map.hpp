// An ordered map from text to records whose versions share what did not change. Copying one is copying a pointer; changing one copies
// the nodes on the way to the change, so older versions stay whole. Reads take no lock.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace brume::state {

class PersistentMap {
 public:
  using Value = std::shared_ptr<const void>;

  const void* find(std::string_view key) const;  // nullptr: absent
  Value get(std::string_view key) const;
  size_t size() const { return size_; }

  // These change this map only; copies made before keep what they had.
  void put(std::string_view key, Value value);
  bool erase(std::string_view key);  // false: was not there
  void clear();

  // Walks in key order. Valid while the map version it came from lives and is unchanged.
  class Cursor {
   public:
    bool valid() const;
    void next();
    std::string_view key() const;
    const void* value() const;
    Value shared_value() const;

   private:
    friend class PersistentMap;
    struct Step {
      const void* node;
      size_t at;
    };
    std::vector<Step> path_;
  };
  // The first entry with key ≥ prefix and > after.
  Cursor seek(std::string_view prefix, std::string_view after) const;

  struct Node;

 private:
  std::shared_ptr<const Node> root_;
  size_t size_ = 0;
};

}  // namespace brume::state
