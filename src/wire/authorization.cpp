#include "wire/authorization.hpp"

#include <algorithm>

namespace brume::wire::authorization {

const Row* find_row(std::string_view service, std::string_view action) {
  for (const auto& each : services()) {
    if (each.name != service) continue;
    const auto row =
        std::lower_bound(each.rows.begin(), each.rows.end(), action, [](const Row& one, auto name) { return one.name < name; });
    return row != each.rows.end() && row->name == action ? &*row : nullptr;
  }
  return nullptr;
}

}  // namespace brume::wire::authorization
