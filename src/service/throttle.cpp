#include "service/throttle.hpp"

#include <algorithm>
#include <array>

#include "wire/refusals.hpp"

namespace brume::service {
namespace {

// EC2's numbers: requests at once, and how many more each second.
struct Group {
  std::string_view name;
  double size;
  double a_second;
};
constexpr Group reading{"reading", 100, 20};
constexpr Group changing{"changing", 50, 5};
constexpr std::array of_their_own = {Group{"RunInstances", 5, 2}, Group{"StartInstances", 5, 2}};

const Group& group_of(std::string_view action) {
  for (const auto& group : of_their_own)
    if (group.name == action) return group;
  for (const std::string_view verb : {"Describe", "Get", "List", "Search"})
    if (action.starts_with(verb)) return reading;
  return changing;
}

}  // namespace

void Throttle::admit(const std::string& account, wire::schema::Protocol protocol, std::string_view action) {
  const auto& group = group_of(action);
  const auto size = std::max(1.0, group.size * factor_);
  const auto now = clock_.now();
  const std::lock_guard lock(mutex_);
  const auto [at, is_new] = buckets_.try_emplace({account, group.name}, Bucket{size, now});
  auto& bucket = at->second;
  // A clock that was set back fills nothing.
  const auto passed = std::chrono::duration<double>(std::max(now - bucket.filled, milliseconds(0))).count();
  bucket.tokens = std::min(size, bucket.tokens + passed * group.a_second * factor_);
  bucket.filled = now;
  if (bucket.tokens < 1) throw wire::refusal(protocol, wire::Trouble::throttled);
  bucket.tokens -= 1;
}

}  // namespace brume::service
