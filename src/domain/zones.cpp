#include "domain/zones.hpp"

#include <algorithm>

namespace brume::domain {

std::string make_zone_letters(Random& random, size_t zones) {
  std::string ordered;
  for (size_t i = 0; i < zones; ++i) ordered += static_cast<char>('a' + i);
  std::string letters;
  while (!ordered.empty()) {
    const auto chosen = random.text(1, ordered).front();
    letters += chosen;
    ordered.erase(ordered.find(chosen), 1);
  }
  return letters;
}

std::vector<Zone> zones_of(const state::World& world, std::string_view account, const std::vector<Zone>& zones) {
  auto seen = zones;
  const auto* found = world.find<state::Account>(account);
  const auto letters = found == nullptr ? std::string() : found->zone_letters;
  for (size_t i = 0; i < seen.size() && i < letters.size(); ++i) seen[i].name.back() = letters[i];
  std::sort(seen.begin(), seen.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return seen;
}

std::string zone_id_of(const state::World& world, std::string_view account, const std::vector<Zone>& zones, std::string_view name) {
  const auto* found = world.find<state::Account>(account);
  for (size_t i = 0; i < zones.size(); ++i) {
    auto here = zones[i].name;
    if (found != nullptr && i < found->zone_letters.size()) here.back() = found->zone_letters[i];
    if (here == name) return zones[i].id;
  }
  return {};
}

}  // namespace brume::domain
