// Tags: the names and values that an account puts on its resources.
#pragma once

#include <string>
#include <vector>

#include "state/records/kind.hpp"

namespace brume::state {

struct Tag {
  std::string name;
  std::string value;
  template <class V>
  void fields(V& v) {
    v("k", name);
    v("v", value);
  }
};

struct TagSet {
  static constexpr Kind kind = Kind::tag_set;
  std::string account;
  std::string resource_id;
  std::string resource_type;  // "instance", "security-group" …
  std::vector<Tag> tags;      // by name
  std::string key() const { return owned_key(account, resource_id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("resourceId", resource_id);
    v("resourceType", resource_type);
    v("tags", tags);
  }
};

}  // namespace brume::state
