// What all Modify…Attribute actions have in common: each call changes one attribute.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/api_error.hpp"

namespace brume::ec2 {

// Throws InvalidParameterCombination unless the request names exactly one of the attributes that the action knows. `asked`: each
// attribute's name and whether it is named. `noun`: EC2 has a sentence of its own for some resources ("subnet").
inline void check_one_attribute(std::initializer_list<std::pair<std::string_view, bool>> asked, std::string_view noun = {}) {
  std::vector<std::string_view> names;
  for (const auto& [name, is_asked] : asked)
    if (is_asked) names.push_back(name);
  if (names.empty()) throw wire::invalid_parameter_combination("No attributes specified.");
  if (names.size() == 1) return;
  const auto list = fmt::format("{}", fmt::join(names, ", "));
  throw wire::invalid_parameter_combination(
      noun.empty() ? fmt::format("Fields for multiple attribute types specified: {}", list)
                   : fmt::format("Only one {} attribute can be modified at a time. Provided attributes: [{}]", noun, list));
}

}  // namespace brume::ec2
