#include "service/throttle.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "wire/refusals.hpp"

namespace brume::service {
namespace {

// EC2's numbers: requests at once, and how many more each second.
struct Group {
  std::string_view name;
  double size;
  double a_second;
};
struct Instances {
  std::string_view action;
  std::string_view name;  // of the bucket
  double size;
  double a_second;
};
constexpr Group reading{"reading", 100, 20};
constexpr Group changing{"changing", 50, 5};
constexpr std::array of_their_own = {Group{"RunInstances", 5, 2}, Group{"StartInstances", 5, 2}, Group{"TerminateInstances", 100, 5}};

// EC2's numbers for instances: RunInstances and StartInstances may bring up so many, the others end so many.
constexpr std::array of_instances = {Instances{"RunInstances", "launched", 1000, 2}, Instances{"StartInstances", "started", 1000, 2},
                                     Instances{"StopInstances", "stopped", 1000, 20},
                                     Instances{"TerminateInstances", "terminated", 1000, 20}};

const Group& group_of(std::string_view action) {
  for (const auto& group : of_their_own)
    if (group.name == action) return group;
  for (const std::string_view verb : {"Describe", "Get", "List", "Search"})
    if (action.starts_with(verb)) return reading;
  return changing;
}

}  // namespace

Throttle::Bucket& Throttle::fill(const std::string& account, std::string_view group, Size size) {
  const auto now = clock_.now();
  const auto [at, is_new] = buckets_.try_emplace({account, group}, Bucket{size.most, now});
  auto& bucket = at->second;
  // A clock that was set back fills nothing.
  const auto passed = std::chrono::duration<double>(std::max(now - bucket.filled, milliseconds(0))).count();
  bucket.tokens = std::min(size.most, bucket.tokens + passed * size.a_second);
  bucket.filled = now;
  return bucket;
}

void Throttle::admit(const std::string& account, wire::schema::Protocol protocol, std::string_view action, std::int64_t instances) {
  const auto& group = group_of(action);
  const auto of_action = std::find_if(of_instances.begin(), of_instances.end(), [&](const auto& each) { return each.action == action; });
  const std::lock_guard lock(mutex_);
  auto& requests = fill(account, group.name, {std::max(1.0, group.size * factor_), group.a_second * factor_});
  Bucket* named = nullptr;
  double taken = 0;
  if (of_action != of_instances.end()) {
    const Size size{std::max(1.0, of_action->size * factor_), of_action->a_second * factor_};
    named = &fill(account, of_action->name, size);
    // A call of more than fit into a bucket goes as soon as it is full.
    taken = std::min(size.most, static_cast<double>(instances));
  }
  if (requests.tokens < 1 || (named != nullptr && named->tokens < taken)) throw wire::refusal(protocol, wire::Trouble::throttled);
  requests.tokens -= 1;
  if (named != nullptr) named->tokens -= taken;
}

std::int64_t instances_asked(const wire::QueryTree& parameters) {
  std::int64_t named = 0;
  std::int64_t asked = 0;
  for (const auto& [name, value] : parameters.pairs()) {
    if (name.starts_with("InstanceId.")) ++named;
    if (name == "MaxCount") std::from_chars(value.data(), value.data() + value.size(), asked);
  }
  return std::max<std::int64_t>({1, named, asked});
}

}  // namespace brume::service
