// What a launch may refer to besides images: placement groups and launch templates.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "state/records/kind.hpp"

namespace brume::state {

struct PlacementGroup {
  static constexpr Kind kind = Kind::placement_group;
  std::string account;
  std::string id;  // "pg-…"
  std::string name;
  std::string strategy;              // "cluster", "spread", "partition"
  std::string spread_level;          // of a spread group: "rack"
  std::int64_t partition_count = 0;  // of a partition group
  Time created{};
  std::string key() const { return owned_key(account, name); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("name", name);
    v("strategy", strategy);
    v("spreadLevel", spread_level);
    v("partitionCount", partition_count);
    v("created", created);
  }
};

struct LaunchTemplate {
  static constexpr Kind kind = Kind::launch_template;
  std::string account;
  std::string id;  // "lt-…"
  std::string name;
  std::int64_t default_version = 1;
  std::int64_t latest_version = 1;  // the last number given; numbers are never reused
  Time created{};
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("name", name);
    v("defaultVersion", default_version);
    v("latestVersion", latest_version);
    v("created", created);
  }
};

// A parameter of RunInstances as clients spell it: "BlockDeviceMapping.1.Ebs.VolumeSize".
struct Parameter {
  std::string name;
  std::string value;
  template <class V>
  void fields(V& v) {
    v("n", name);
    v("v", value);
  }
};

struct LaunchTemplateVersion {
  static constexpr Kind kind = Kind::launch_template_version;
  std::string account;
  std::string template_id;
  std::int64_t number = 1;
  std::string description;
  Time created{};
  std::vector<Parameter> parameters;  // its parameters of RunInstances, user data among them
  // Numbers in their order.
  static std::string id_of(const std::string& template_id, std::int64_t number) {
    auto digits = std::to_string(number);
    return template_id + "/" + std::string(10 - std::min<size_t>(10, digits.size()), '0') + digits;
  }
  std::string key() const { return owned_key(account, id_of(template_id, number)); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("templateId", template_id);
    v("number", number);
    v("description", description);
    v("created", created);
    v("parameters", parameters);
  }
};

}  // namespace brume::state
