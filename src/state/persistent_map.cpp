#include "state/persistent_map.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <stdexcept>

namespace brume::state {
namespace {

thread_local std::uint64_t walked = 0;

constexpr size_t fan_out = 32;
constexpr size_t poor = 8;          // a node with fewer tries to join a neighbour
constexpr size_t rich_enough = 24;  // … if both together stay below this, so that the next put does not split them again

// At most fan_out keys in order, their bytes end to end.
class Keys {
 public:
  Keys() = default;
  Keys(const Keys& other)
      : bytes_(other.used() > 0 ? new char[other.used()] : nullptr),
        ends_(other.ends_),
        capacity_(static_cast<std::uint32_t>(other.used())),
        count_(other.count_) {
    if (capacity_ > 0) std::memcpy(bytes_.get(), other.bytes_.get(), capacity_);
  }
  Keys& operator=(const Keys&) = delete;
  ~Keys() = default;

  size_t count() const { return count_; }
  std::string_view at(size_t i) const {
    const size_t start = i == 0 ? 0 : ends_[i - 1];
    return {bytes_.get() + start, ends_[i] - start};
  }

  // The first place whose key is ≥ (lower) or > (upper) `key`.
  size_t lower_bound(std::string_view key) const {
    size_t low = 0;
    for (size_t high = count_; low < high;) {
      const size_t middle = (low + high) / 2;
      if (at(middle) < key)
        low = middle + 1;
      else
        high = middle;
    }
    return low;
  }
  size_t upper_bound(std::string_view key) const {
    const size_t place = lower_bound(key);
    return place < count_ && at(place) == key ? place + 1 : place;
  }

  void insert(size_t i, std::string_view key) {
    const size_t start = i == 0 ? 0 : ends_[i - 1];
    const size_t length = key.size();
    if (used() + length > capacity_) reserve(used() + length + growth);
    if (length > 0) {
      std::memmove(bytes_.get() + start + length, bytes_.get() + start, used() - start);
      std::memcpy(bytes_.get() + start, key.data(), length);
    }
    for (size_t j = count_; j > i; --j) ends_[j] = ends_[j - 1] + static_cast<std::uint32_t>(length);
    ends_[i] = static_cast<std::uint32_t>(start + length);
    ++count_;
  }
  void erase(size_t i) {
    const size_t start = i == 0 ? 0 : ends_[i - 1];
    const size_t end = ends_[i];
    if (end > start) std::memmove(bytes_.get() + start, bytes_.get() + end, used() - end);
    for (size_t j = i + 1; j < count_; ++j) ends_[j - 1] = ends_[j] - static_cast<std::uint32_t>(end - start);
    --count_;
  }
  // Keeps the first `count` and frees the room of the others.
  void truncate(size_t count) {
    count_ = static_cast<std::uint32_t>(count);
    if (capacity_ > used() + 2 * growth) resize(used());
  }
  // Makes room for `size` bytes in all.
  void reserve(size_t size) {
    if (size > UINT32_MAX) throw std::length_error("a key is too long");
    if (size > capacity_) resize(size);
  }
  size_t used() const { return count_ == 0 ? 0 : ends_[count_ - 1]; }

 private:
  static constexpr size_t growth = 192;  // a few keys only, because doubling would leave half of every leaf empty

  void resize(size_t size) {
    std::unique_ptr<char[]> bytes(new char[size]);
    if (used() > 0) std::memcpy(bytes.get(), bytes_.get(), used());
    bytes_ = std::move(bytes);
    capacity_ = static_cast<std::uint32_t>(size);
  }

  std::unique_ptr<char[]> bytes_;
  std::array<std::uint32_t, fan_out> ends_{};  // where each key ends; only the first count_ are set
  std::uint32_t capacity_ = 0;
  std::uint32_t count_ = 0;
};

}  // namespace

struct PersistentMap::Node {
  explicit Node(bool leaf) : is_leaf(leaf) {}
  Node(const Node& other) : is_leaf(other.is_leaf), keys(other.keys) {}
  Node& operator=(const Node&) = delete;

  std::atomic<std::uint32_t> references{1};
  const bool is_leaf;
  // In a leaf: the entries' keys. Above: child i has the keys from keys[i] up to keys[i + 1]; the first child also has everything below.
  Keys keys;

 protected:
  ~Node() = default;
};

namespace {

using Node = PersistentMap::Node;
using NodePointer = PersistentMap::NodePointer;
using Value = PersistentMap::Value;

struct Leaf final : Node {
  Leaf() : Node(true) {}
  std::array<Value, fan_out> items;
};
struct Inner final : Node {
  Inner() : Node(false) {}
  std::array<NodePointer, fan_out> items;
};

Leaf& as_leaf(Node& node) { return static_cast<Leaf&>(node); }
Inner& as_inner(Node& node) { return static_cast<Inner&>(node); }
const Leaf& as_leaf(const Node& node) { return static_cast<const Leaf&>(node); }
const Inner& as_inner(const Node& node) { return static_cast<const Inner&>(node); }

size_t child_for(const Inner& inner, std::string_view key) {
  const size_t place = inner.keys.upper_bound(key);
  return place == 0 ? 0 : place - 1;
}

// The node behind `slot`, ready to be changed: copied first if somebody else holds it too. Call from the root downwards, because a node is
// only ours if the one above it is.
Node& own(NodePointer& slot) {
  // Acquire: whatever the last other holder did with the node has happened before.
  if (slot->references.load(std::memory_order_acquire) != 1) {
    Node* copy = slot->is_leaf ? static_cast<Node*>(new Leaf(as_leaf(*slot.get()))) : new Inner(as_inner(*slot.get()));
    slot = NodePointer(copy);
  }
  return *slot.get();
}

template <class N, class Item>
void insert_item(N& node, size_t at, std::string_view key, Item item) {
  node.keys.insert(at, key);
  const size_t count = node.keys.count();
  std::move_backward(node.items.begin() + static_cast<std::ptrdiff_t>(at), node.items.begin() + static_cast<std::ptrdiff_t>(count - 1),
                     node.items.begin() + static_cast<std::ptrdiff_t>(count));
  node.items[at] = std::move(item);
}

template <class N>
void erase_item(N& node, size_t at) {
  const size_t count = node.keys.count();
  std::move(node.items.begin() + static_cast<std::ptrdiff_t>(at + 1), node.items.begin() + static_cast<std::ptrdiff_t>(count),
            node.items.begin() + static_cast<std::ptrdiff_t>(at));
  node.items[count - 1] = {};
  node.keys.erase(at);
}

// What a full node had to give to a new one on its right.
struct Split {
  NodePointer right;
  std::string first_key;
};

template <class N, class Item>
void insert_splitting(N& node, size_t at, std::string_view key, Item item, Split& split) {
  if (node.keys.count() < fan_out) return insert_item(node, at, key, std::move(item));
  auto* right = new N();
  split.right = NodePointer(right);
  // After the last key: keys come in order, as they do when a log is loaded. Leave this node full instead of half empty.
  const size_t cut = at == fan_out ? fan_out : fan_out / 2;
  for (size_t i = cut; i < fan_out; ++i) {
    right->keys.insert(i - cut, node.keys.at(i));
    right->items[i - cut] = std::exchange(node.items[i], {});
  }
  node.keys.truncate(cut);
  if (at > cut || cut == fan_out)
    insert_item(*right, at - cut, key, std::move(item));
  else
    insert_item(node, at, key, std::move(item));
  split.first_key = right->keys.at(0);
}

// true: a new key.
bool put_below(NodePointer& slot, std::string_view key, Value& value, Split& split) {
  Node& node = own(slot);
  if (node.is_leaf) {
    Leaf& leaf = as_leaf(node);
    const size_t at = leaf.keys.lower_bound(key);
    if (at < leaf.keys.count() && leaf.keys.at(at) == key) {
      leaf.items[at] = std::move(value);
      return false;
    }
    insert_splitting(leaf, at, key, std::move(value), split);
    return true;
  }
  Inner& inner = as_inner(node);
  const size_t child = child_for(inner, key);
  Split below;
  const bool added = put_below(inner.items[child], key, value, below);
  if (below.right) insert_splitting(inner, child + 1, below.first_key, std::move(below.right), split);
  return added;
}

template <class N>
void append_all(N& left, const N& right, std::string_view right_bound) {
  for (size_t i = 0; i < right.keys.count(); ++i) {
    const size_t end = left.keys.count();
    // The first key of an inner node may be stale; the parent's bound for it is the true one.
    insert_item(left, end, i == 0 && !right.is_leaf ? right_bound : right.keys.at(i),
                typename decltype(left.items)::value_type(right.items[i]));
  }
}

// Joins child `left` of `inner` and its right neighbour if both are small.
bool join(Inner& inner, size_t left) {
  if (left + 1 >= inner.keys.count()) return false;
  const NodePointer right = inner.items[left + 1];
  if (inner.items[left]->keys.count() + right->keys.count() > rich_enough) return false;
  Node& target = own(inner.items[left]);
  if (target.is_leaf)
    append_all(as_leaf(target), as_leaf(std::as_const(*right.get())), {});
  else
    append_all(as_inner(target), as_inner(std::as_const(*right.get())), inner.keys.at(left + 1));
  erase_item(inner, left + 1);
  return true;
}

// The key must exist.
void erase_below(NodePointer& slot, std::string_view key) {
  Node& node = own(slot);
  if (node.is_leaf) return erase_item(as_leaf(node), node.keys.lower_bound(key));
  Inner& inner = as_inner(node);
  const size_t child = child_for(inner, key);
  erase_below(inner.items[child], key);
  const size_t left = inner.items[child]->keys.count();
  if (left == 0)
    erase_item(inner, child);
  else if (left < poor && !join(inner, child) && child > 0)
    join(inner, child - 1);
}

}  // namespace

PersistentMap::NodePointer::NodePointer(const NodePointer& other) noexcept : node_(other.node_) {
  if (node_ != nullptr) node_->references.fetch_add(1, std::memory_order_relaxed);
}

PersistentMap::NodePointer::~NodePointer() {
  if (node_ == nullptr || node_->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (node_->is_leaf)
    delete static_cast<Leaf*>(node_);
  else
    delete static_cast<Inner*>(node_);
}

namespace {
// The value's place, nullptr: absent.
const Value* place_of(const Node* node, std::string_view key) {
  if (node == nullptr) return nullptr;
  while (!node->is_leaf) {
    const Inner& inner = as_inner(*node);
    node = inner.items[child_for(inner, key)].get();
  }
  const size_t at = node->keys.lower_bound(key);
  return at < node->keys.count() && node->keys.at(at) == key ? &as_leaf(*node).items[at] : nullptr;
}
}  // namespace

const void* PersistentMap::find(std::string_view key) const {
  const Value* value = place_of(root_.get(), key);
  return value == nullptr ? nullptr : value->get();
}

PersistentMap::Value PersistentMap::get(std::string_view key) const {
  const Value* value = place_of(root_.get(), key);
  return value == nullptr ? nullptr : *value;
}

void PersistentMap::put(std::string_view key, Value value) {
  if (!root_) root_ = NodePointer(new Leaf());
  Split split;
  if (put_below(root_, key, value, split)) ++size_;
  if (!split.right) return;
  auto* root = new Inner();
  NodePointer new_root(root);
  insert_item(*root, 0, {}, root_);
  insert_item(*root, 1, split.first_key, std::move(split.right));
  root_ = std::move(new_root);
}

bool PersistentMap::erase(std::string_view key) {
  if (place_of(root_.get(), key) == nullptr) return false;
  erase_below(root_, key);
  --size_;
  if (size_ == 0) root_ = {};
  while (root_ && !root_->is_leaf && root_->keys.count() == 1) {
    NodePointer only = as_inner(*root_.get()).items[0];
    root_ = std::move(only);
  }
  return true;
}

void PersistentMap::clear() {
  root_ = {};
  size_ = 0;
}

PersistentMap::Cursor PersistentMap::seek(std::string_view prefix, std::string_view after) const {
  Cursor cursor;
  if (!root_) return cursor;
  const bool behind = after >= prefix && !after.empty();
  const std::string_view bound = behind ? after : prefix;
  const Node* node = root_.get();
  while (true) {
    const size_t at = !node->is_leaf ? child_for(as_inner(*node), bound)
                      : behind       ? node->keys.upper_bound(bound)
                                     : node->keys.lower_bound(bound);
    // Each level except the last holds many nodes, so sixteen levels are out of reach.
    if (cursor.depth_ == cursor.path_.size()) throw std::length_error("a map is too deep");
    cursor.path_[cursor.depth_++] = {node, at};
    if (node->is_leaf) break;
    node = as_inner(*node).items[at].get();
  }
  cursor.settle();
  return cursor;
}

void PersistentMap::Cursor::settle() {
  while (depth_ > 0 && path_[depth_ - 1].at >= path_[depth_ - 1].node->keys.count()) {
    if (--depth_ > 0) ++path_[depth_ - 1].at;
  }
  while (depth_ > 0 && !path_[depth_ - 1].node->is_leaf) {
    const Step& step = path_[depth_ - 1];
    const Node* child = as_inner(*step.node).items[step.at].get();
    if (depth_ == path_.size()) throw std::length_error("a map is too deep");
    path_[depth_++] = {child, 0};
  }
}

std::uint64_t entries_walked() { return walked; }

void PersistentMap::Cursor::next() {
  ++walked;
  ++path_[depth_ - 1].at;
  settle();
}

std::string_view PersistentMap::Cursor::key() const { return path_[depth_ - 1].node->keys.at(path_[depth_ - 1].at); }

const void* PersistentMap::Cursor::value() const { return as_leaf(*path_[depth_ - 1].node).items[path_[depth_ - 1].at].get(); }

PersistentMap::Value PersistentMap::Cursor::shared_value() const { return as_leaf(*path_[depth_ - 1].node).items[path_[depth_ - 1].at]; }

}  // namespace brume::state
