#include "wire/files/encodings.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.hpp"

namespace brume::wire {
namespace {

// In thousandths; an invalid weight counts as 0, because it is safer to send what every client can read.
int read_weight(std::string_view parameters) {
  for (const auto each : split(parameters, ';')) {
    const auto parameter = trim(each);
    if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) continue;
    const auto number = parameter.substr(2);
    if (number.empty() || number.size() > 5 || (number[0] != '0' && number[0] != '1')) return 0;
    int weight = (number[0] - '0') * 1000;
    int unit = 100;
    for (size_t i = 1; i < number.size(); ++i) {
      if (i == 1 && number[i] == '.') continue;
      if (i == 1 || number[i] < '0' || number[i] > '9') return 0;
      weight += (number[i] - '0') * unit;
      unit /= 10;
    }
    return std::min(weight, 1000);
  }
  return 1000;
}

}  // namespace

std::vector<std::string_view> accepted_encodings(std::string_view header, const std::vector<std::string_view>& known) {
  std::optional<int> any;
  std::optional<int> identity;
  std::vector<std::pair<std::string_view, int>> named;
  for (const auto each : split(header, ',')) {
    const auto semicolon = each.find(';');
    const auto name = trim(each.substr(0, semicolon));
    const int weight = semicolon == std::string_view::npos ? 1000 : read_weight(each.substr(semicolon + 1));
    if (name == "*") any = weight;
    if (equals_ignoring_case(name, "identity")) identity = weight;
    named.emplace_back(name, weight);
  }
  std::vector<std::pair<std::string_view, int>> chosen;
  for (const auto name : known) {
    int weight = any.value_or(0);
    for (const auto& [other, other_weight] : named)
      if (equals_ignoring_case(other, name) || (name == "gzip" && equals_ignoring_case(other, "x-gzip"))) weight = other_weight;
    // A client that does not mention "identity" accepts it, but prefers the encodings it names.
    if (weight > 0 && weight >= identity.value_or(0)) chosen.emplace_back(name, weight);
  }
  std::stable_sort(chosen.begin(), chosen.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<std::string_view> names;
  for (const auto& [name, weight] : chosen) names.push_back(name);
  return names;
}

}  // namespace brume::wire
