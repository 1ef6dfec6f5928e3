// The table of everything the metadata service can say: one row per item, with the version that introduced it and how its value is read
// from the World. The tree (metadata_tree) serves every row, so adding an item is adding a row.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "guest/metadata_configuration.hpp"
#include "state/world.hpp"

namespace brume::guest {

// Who asks, in which version, and the names bound in the requested path.
struct MetadataView {
  const state::World& world;
  const MetadataConfiguration& configuration;
  const state::Instance& instance;
  const state::NetworkInterface& primary;  // the interface with device index 0
  std::vector<std::string_view> bound;     // what the path has in place of each {…}, outermost first
  std::string_view version = "latest";     // folder of the requested path
};

// nullopt: does not apply to this instance, so it is neither listed nor found.
using MetadataValue = std::optional<std::string>;

struct MetadataItem {
  std::string_view path;   // "meta-data/tags/instance/{tag}"
  std::string_view since;  // first version folder that has it
  MetadataValue (*value)(const MetadataView&);
  std::string_view content_type = "text/plain";
};

struct MetadataName {
  std::string name;    // as it stands in a path
  std::string listed;  // as the folder lists it; empty: by the general rule
};

// The names that a {…} may have, given the names already bound.
struct MetadataNames {
  std::string_view placeholder;
  std::vector<MetadataName> (*names)(const MetadataView&);
};

std::span<const MetadataItem> metadata_items();
std::span<const MetadataNames> metadata_names();

// The last version that the guide of 2011 describes. If the guide and today's EC2 differ, versions up to this one follow the guide.
inline constexpr std::string_view last_guide_version = "2011-01-01";

// Oldest first, without "latest".
std::span<const std::string_view> metadata_versions();

}  // namespace brume::guest
