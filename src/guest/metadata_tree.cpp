#include "guest/metadata_tree.hpp"

#include <algorithm>
#include <stdexcept>

#include "base/text.hpp"

namespace brume::guest {

struct MetadataTree::Node {
  std::string_view name;                 // of the table: "ami-id", "{mac}"
  const MetadataItem* item = nullptr;    // a leaf
  const MetadataNames* names = nullptr;  // matches any of these names
  std::vector<std::unique_ptr<Node>> children;

  Node& child(std::string_view wanted) {
    for (const auto& each : children)
      if (each->name == wanted) return *each;
    children.push_back(std::make_unique<Node>());
    children.back()->name = wanted;
    return *children.back();
  }
};

// One request's walk through the tree.
struct MetadataTree::Walk {
  MetadataView& view;
  std::string_view version;

  // Versions are dates, except "1.0" and "latest", and sort as text.
  MetadataValue value(const MetadataItem& item) const {
    if (version < item.since) return std::nullopt;
    return item.value(view);
  }

  bool present(const Node& node) {
    if (node.item) return value(*node.item).has_value();
    return std::any_of(node.children.begin(), node.children.end(), [&](const auto& child) {
      if (!child->names) return present(*child);
      const auto names = child->names->names(view);
      return std::any_of(names.begin(), names.end(), [&](const MetadataName& name) { return present_as(*child, name.name); });
    });
  }

  bool present_as(const Node& node, std::string_view name) {
    view.bound.push_back(name);
    const bool is_present = present(node);
    view.bound.pop_back();
    return is_present;
  }

  // The child named `name`, bound if it is a {…}; nullptr: none.
  const Node* enter(const Node& node, std::string_view name) {
    for (const auto& child : node.children) {
      if (!child->names) {
        if (child->name == name) return child.get();
        continue;
      }
      for (const auto& each : child->names->names(view)) {
        if (each.name != name) continue;
        view.bound.push_back(name);
        return child.get();
      }
    }
    return nullptr;
  }

  // Folders end in '/', except in the listing of the version folder itself: EC2 does the same.
  std::vector<std::string> list(const Node& node, bool is_version_folder) {
    std::vector<std::string> lines;
    for (const auto& child : node.children) {
      const std::string_view mark = child->item || is_version_folder ? "" : "/";
      if (!child->names) {
        if (present(*child)) lines.push_back(std::string(child->name).append(mark));
        continue;
      }
      for (auto& each : child->names->names(view))
        if (present_as(*child, each.name)) lines.push_back(each.listed.empty() ? each.name.append(mark) : std::move(each.listed));
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  }
};

namespace {

// The guide's own spelling for user data (INS-059), in the versions that the guide knows.
std::string_view content_type_of(const MetadataItem& item, std::string_view version) {
  return item.content_type == "application/octet-stream" && version <= last_guide_version ? "application/x-octetstream" : item.content_type;
}

}  // namespace

MetadataTree::MetadataTree(std::span<const MetadataItem> items, std::span<const MetadataNames> names) : root_(std::make_unique<Node>()) {
  for (const auto& item : items) {
    Node* node = root_.get();
    for (const auto part : split(item.path, '/')) {
      node = &node->child(part);
      if (!part.starts_with('{')) continue;
      const auto found = std::find_if(names.begin(), names.end(), [&](const MetadataNames& each) { return each.placeholder == part; });
      if (found == names.end()) throw std::logic_error("no names for " + std::string(part));
      node->names = &*found;
    }
    node->item = &item;
  }
}
MetadataTree::~MetadataTree() = default;
MetadataTree::MetadataTree(MetadataTree&&) noexcept = default;
MetadataTree& MetadataTree::operator=(MetadataTree&&) noexcept = default;

std::optional<MetadataContent> MetadataTree::find(MetadataView view, std::string_view version, std::span<const std::string> path) const {
  view.version = version;
  Walk walk{view, version};
  const Node* node = root_.get();
  for (const auto& name : path) {
    node = walk.enter(*node, name);
    if (!node) return std::nullopt;
  }
  if (node->item) {
    auto value = walk.value(*node->item);
    if (!value) return std::nullopt;
    return MetadataContent{std::move(*value), content_type_of(*node->item, version)};
  }
  MetadataContent listing{{}, "text/plain"};
  for (const auto& line : walk.list(*node, path.empty())) {
    if (!listing.body.empty()) listing.body += '\n';
    listing.body += line;
  }
  if (listing.body.empty()) return std::nullopt;
  return listing;
}

}  // namespace brume::guest
