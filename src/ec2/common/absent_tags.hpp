// Tags of resources that EC2 shows without a list of tags if they have none.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ec2/common/tags.hpp"
#include "service/action.hpp"

namespace brume::ec2 {

// No tags: today's answers have no list. Answers of the guide's API always have one.
inline std::optional<std::vector<wire::ec2::Tag>> tags_if_any(const state::World& world, const service::Context& context,
                                                              const std::string& account, const std::string& id) {
  auto tags = tags_of(world, account, id);
  if (tags.empty() && !context.is_2011()) return std::nullopt;
  return tags;
}

}  // namespace brume::ec2
