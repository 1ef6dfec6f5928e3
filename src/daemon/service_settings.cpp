#include "daemon/service_settings.hpp"

#include <unistd.h>

#include <algorithm>

#include "base/text.hpp"

namespace brume::daemon {
namespace {

// "use1" of "us-east-1", "apse2" of "ap-southeast-2": how zone ids begin.
std::string short_region(const std::string& region) {
  std::string text;
  for (const auto part : split(region, '-')) {
    if (text.empty() || (!part.empty() && part.front() >= '0' && part.front() <= '9')) {
      text += part;
      continue;
    }
    for (const std::string_view direction : {"north", "south", "east", "west", "central"})
      if (part.find(direction) != std::string_view::npos) text += direction.front();
  }
  return text;
}

}  // namespace

Capacity measure_capacity(const Configuration& configuration) {
  constexpr std::int64_t mib = 1 << 20;
  constexpr std::int64_t kept_mib = 512;  // for the host itself: memory is not promised twice
  constexpr std::int64_t sharing = 16;    // virtual processors for each of the host's: most guests idle most of the time
  Capacity capacity{configuration.guest_memory_mib, configuration.guest_processors};
  if (configuration.simulate && capacity.memory_mib == 0 && capacity.processors == 0) return capacity;
  if (capacity.memory_mib == 0) {
    const auto host_mib = static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGESIZE) / mib;
    capacity.memory_mib = std::max(host_mib - kept_mib, host_mib / 2);
  }
  if (capacity.processors == 0) capacity.processors = sharing * std::max<std::int64_t>(::sysconf(_SC_NPROCESSORS_ONLN), 1);
  // Each region counts its own instances only, so each has a part of the host.
  capacity.memory_mib /= configuration.regions_of_host;
  capacity.processors = std::max<std::int64_t>(capacity.processors / configuration.regions_of_host, 1);
  return capacity;
}

service::Settings make_settings(const Configuration& configuration) {
  service::Settings settings;
  settings.region = configuration.region;
  settings.simulated = configuration.simulate;
  settings.instance_limit = configuration.instance_limit;
  // A simulation has as many disks as it has hosts.
  settings.storage.volumes = configuration.volume_limit.value_or(configuration.simulate ? 0 : settings.storage.volumes);
  settings.storage.volume_gib = configuration.volume_gib_limit.value_or(configuration.simulate ? 0 : settings.storage.volume_gib);
  settings.status_checks_after = seconds(configuration.status_checks_after_seconds.value_or(configuration.simulate ? 1 : 30));
  // us-east-1 keeps the names it had before there were others.
  if (configuration.region != "us-east-1") {
    settings.private_domain = configuration.region + ".compute.internal";
    settings.public_domain = configuration.region + ".compute.amazonaws.com";
  }
  if (!configuration.private_domain.empty()) settings.private_domain = configuration.private_domain;
  if (!configuration.public_domain.empty()) settings.public_domain = configuration.public_domain;
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  settings.host_name = name;
  const auto zones = configuration.first_zones > 0 ? configuration.first_zones : configuration.zones;
  for (std::int64_t i = 0; i < zones; ++i) {
    const char letter = static_cast<char>('a' + i);
    settings.zones.push_back({configuration.region + letter, short_region(configuration.region) + "-az" + std::to_string(i + 1)});
  }
  return settings;
}

}  // namespace brume::daemon
