#include "wire/http/host_name.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace brume::wire {
namespace {

// Matches "eu-west-1" and "us-gov-east-1": words and a digit.
bool looks_like_region(std::string_view label) {
  return std::count(label.begin(), label.end(), '-') >= 2 && label.back() >= '0' && label.back() <= '9';
}

bool is_bucket_service(std::string_view label) { return label == "s3" || (label.starts_with("s3-") && looks_like_region(label.substr(3))); }

bool is_address(const std::vector<std::string_view>& labels) {
  return labels.size() == 4 && std::all_of(labels.begin(), labels.end(), [](std::string_view label) {
           return !label.empty() && std::all_of(label.begin(), label.end(), [](char c) { return c >= '0' && c <= '9'; });
         });
}

}  // namespace

HostName read_host(std::string_view host) {
  HostName name;
  if (host.starts_with('[')) {
    name.labels.emplace_back(host.substr(0, host.find(']') + 1));
    return name;
  }
  const auto text = to_lower(host.substr(0, host.find(':')));
  const auto labels = split(text, '.');
  if (is_address(labels)) {
    name.labels.push_back(text);
    return name;
  }
  size_t first = labels.size();
  while (first > 0 && !is_bucket_service(labels[first - 1])) --first;
  first = first == 0 ? 0 : first - 1;
  for (size_t i = 0; i < first; ++i) {
    if (i > 0) name.bucket += '.';
    name.bucket += labels[i];
  }
  for (size_t i = first; i < labels.size(); ++i) {
    if (labels[i].empty()) continue;
    if (!labels[i].starts_with("s3-") || !is_bucket_service(labels[i])) {
      name.labels.emplace_back(labels[i]);
      continue;
    }
    name.labels.emplace_back("s3");
    name.labels.emplace_back(labels[i].substr(3));
  }
  return name;
}

bool HostName::names_region(std::string_view region) const { return std::find(labels.begin(), labels.end(), region) != labels.end(); }

}  // namespace brume::wire
