// Finds a resource that a request names by its id, for every kind alike.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ec2/common/resource_ids.hpp"
#include "state/world.hpp"

namespace brume::ec2 {

// Whether it is given and not empty. Clients send "" for what they omit.
inline bool given(const std::optional<std::string>& text) { return text && !text->empty(); }

// The account's own record. `prefix` as in resource_ids.cpp. Throws MissingParameter, the kind's Malformed and NotFound codes.
template <class R>
const R& find_owned(const state::World& world, const std::string& account, std::string_view prefix, std::string_view parameter,
                    const std::optional<std::string>& id) {
  if (!given(id)) throw wire::missing_parameter(parameter);
  check_id(prefix, *id);
  const auto* found = world.find<R>(account, *id);
  if (found == nullptr) throw id_unknown(prefix, *id);
  return *found;
}

}  // namespace brume::ec2
