#include "ec2/resource_ids.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace brume::ec2 {

bool is_well_formed_id(std::string_view prefix, std::string_view id) {
  if (!id.starts_with(prefix) || id.size() <= prefix.size() || id[prefix.size()] != '-') return false;
  const auto digits = id.substr(prefix.size() + 1);
  return (digits.size() == 8 || digits.size() == 17) &&
         std::all_of(digits.begin(), digits.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

void check_id(std::string_view prefix, std::string_view code_noun, std::string_view id) {
  if (!is_well_formed_id(prefix, id)) throw wire::id_malformed(code_noun, id);
}

std::string_view resource_type_of(std::string_view id) {
  struct Row {
    std::string_view prefix;
    std::string_view type;
  };
  static constexpr std::array rows = {
      Row{"i-", "instance"},   Row{"vol-", "volume"}, Row{"snap-", "snapshot"},     Row{"ami-", "image"},
      Row{"aki-", "image"},    Row{"ari-", "image"},  Row{"sg-", "security-group"}, Row{"sgr-", "security-group-rule"},
      Row{"key-", "key-pair"}, Row{"vpc-", "vpc"},    Row{"subnet-", "subnet"},     Row{"eni-", "network-interface"},
  };
  for (const auto& row : rows)
    if (id.starts_with(row.prefix)) return row.type;
  return {};
}

wire::ApiError ids_not_found(std::string_view code_noun, std::string_view noun, const std::vector<std::string>& ids) {
  if (ids.size() == 1) return wire::id_not_found(code_noun, noun, ids.front());
  return {400, fmt::format("Invalid{}.NotFound", code_noun), fmt::format("The {} IDs '{}' do not exist", noun, fmt::join(ids, ", "))};
}

}  // namespace brume::ec2
