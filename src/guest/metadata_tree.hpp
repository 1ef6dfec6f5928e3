// The folders that the rows of the item table form: finds a path in them and lists them for one instance and one version.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "guest/metadata_items.hpp"

namespace brume::guest {

struct MetadataContent {
  std::string body;
  std::string_view content_type;
};

class MetadataTree {
 public:
  // The tables must outlive the tree, and every {…} of a path must have its row in `names`.
  MetadataTree(std::span<const MetadataItem> items, std::span<const MetadataNames> names);
  ~MetadataTree();
  MetadataTree(MetadataTree&&) noexcept;
  MetadataTree& operator=(MetadataTree&&) noexcept;

  // The value of a leaf or the lines of a folder. `path` begins below the version folder; empty means that folder itself. nullopt: not
  // there in this version, or not for this instance.
  std::optional<MetadataContent> find(MetadataView view, std::string_view version, std::span<const std::string> path) const;

 private:
  struct Node;
  struct Walk;
  std::unique_ptr<Node> root_;
};

}  // namespace brume::guest
