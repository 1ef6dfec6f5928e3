// An ordered map from text to records whose versions share what did not change. Copying one is copying a pointer; changing one copies
// the nodes on the way to the change, so older versions stay whole. Reads take no lock.
//
// It is a B+-tree of fan-out 32. A node that only this map reaches is changed in place, so that a transaction of a thousand puts
// copies each node once. Keys lie packed in their leaf: an entry costs its key, 16 bytes for the value and about 6 more.
// Threads: a map is an ordinary value (many readers or one writer); copies of it may live and die on other threads at any time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace brume::state {

class PersistentMap {
 public:
  using Value = std::shared_ptr<const void>;

  PersistentMap() = default;
  // Copies only: a map that was moved from would have to be emptied anyway.
  PersistentMap(const PersistentMap&) = default;
  PersistentMap& operator=(const PersistentMap&) = default;
  ~PersistentMap() = default;

  const void* find(std::string_view key) const;  // nullptr: absent
  Value get(std::string_view key) const;
  size_t size() const { return size_; }

  // These change this map only; copies made before keep their content.
  void put(std::string_view key, Value value);
  bool erase(std::string_view key);  // false: was not there
  void clear();

  struct Node;

  // A counted reference to a node. The count is our own, because std::shared_ptr cannot reliably tell other threads that nobody else holds
  // it: use_count() is a relaxed load.
  class NodePointer {
   public:
    NodePointer() = default;
    explicit NodePointer(Node* node) : node_(node) {}  // takes over one reference
    NodePointer(const NodePointer& other) noexcept;
    NodePointer(NodePointer&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    NodePointer& operator=(NodePointer other) noexcept {
      std::swap(node_, other.node_);
      return *this;
    }
    ~NodePointer();
    Node* get() const { return node_; }
    Node* operator->() const { return node_; }
    explicit operator bool() const { return node_ != nullptr; }

   private:
    Node* node_ = nullptr;
  };

  // Walks in key order. Valid while its version of the map lives and is unchanged.
  class Cursor {
   public:
    bool valid() const { return depth_ > 0; }
    void next();
    std::string_view key() const;
    const void* value() const;
    Value shared_value() const;

   private:
    friend class PersistentMap;
    void settle();  // from after a leaf's last entry to the next leaf's first, or to the end
    struct Step {
      const Node* node;
      size_t at;
    };
    std::array<Step, 16> path_;  // root first; only the first depth_ are set
    size_t depth_ = 0;
  };
  // The first entry with key ≥ prefix and > after.
  Cursor seek(std::string_view prefix, std::string_view after) const;

 private:
  NodePointer root_;
  size_t size_ = 0;
};

}  // namespace brume::state
