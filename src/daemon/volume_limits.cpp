#include "daemon/volume_limits.hpp"

#include <algorithm>

#include "ec2/storage/volume_rules.hpp"

namespace brume::daemon {
namespace {

using compute::DiskLimits;

constexpr std::int64_t kib = 1024;
constexpr std::int64_t volume_mib = 1024 * kib;

// A larger request counts as several: the size of one on solid-state types, and on magnetic types.
constexpr std::int64_t solid_state_request = 256 * kib;
constexpr std::int64_t magnetic_request = 1024 * kib;

// gp2: up to 5.4 million requests are saved, and spent at up to 3,000 a second.
constexpr std::int64_t burst_requests = 3000;
constexpr std::int64_t saved_requests = 5'400'000;

// Magnetic types: MiB a second for each TiB, sustained and in bursts; a burst may transfer as many bytes as the volume has.
struct Magnetic {
  std::int64_t requests, lasting_per_tib, burst_per_tib, most_lasting, most_burst;
};
constexpr Magnetic st1 = {500, 40, 250, 500, 500};
constexpr Magnetic sc1 = {250, 12, 80, 192, 250};

DiskLimits of_magnetic(const Magnetic& type, std::int64_t gib) {
  const auto of_size = [&](std::int64_t per_tib, std::int64_t most) {
    return std::clamp<std::int64_t>(per_tib * gib * volume_mib / 1024, volume_mib, most * volume_mib);
  };
  DiskLimits limits;
  limits.requests = type.requests;
  limits.request_bytes = magnetic_request;
  limits.bytes = of_size(type.lasting_per_tib, type.most_lasting);
  limits.burst_bytes = of_size(type.burst_per_tib, type.most_burst);
  limits.burst_bytes_seconds = gib * 1024 * volume_mib / limits.burst_bytes;
  return limits;
}

DiskLimits of_gp2(std::int64_t requests, std::int64_t gib) {
  constexpr std::int64_t largest_of_the_slower = 170;  // GiB
  DiskLimits limits;
  limits.requests = requests;
  limits.request_bytes = solid_state_request;
  if (requests < burst_requests) {
    limits.burst_requests = burst_requests;
    limits.burst_seconds = saved_requests / burst_requests;
  }
  limits.bytes = (gib <= largest_of_the_slower ? 128 : 250) * volume_mib;
  return limits;
}

// The throughput that so many requests can carry. io1: up to 500 MiB a second, above 32,000 IOPS 16 KiB for each, up to 1,000; io2: up to
// 4,000.
std::int64_t bytes_of_io(std::string_view type, std::int64_t requests) {
  if (type == "io2") return std::min(requests * 256 * kib, 4000 * volume_mib);
  return std::min(requests * 256 * kib, std::clamp(requests * 16 * kib, 500 * volume_mib, 1000 * volume_mib));
}

}  // namespace

std::optional<VolumeLimits> volume_limits_named(std::string_view name) {
  if (name == "off") return VolumeLimits::off;
  if (name == "provisioned") return VolumeLimits::provisioned;
  if (name == "all") return VolumeLimits::all;
  return std::nullopt;
}

compute::DiskLimits limit_volume(const state::Volume& volume, VolumeLimits which) {
  DiskLimits limits;
  if (which == VolumeLimits::off) return limits;
  const auto shape = ec2::shape_of(volume);
  limits.requests = ec2::iops_of(shape);
  limits.request_bytes = solid_state_request;
  if (volume.type == "io1" || volume.type == "io2") {
    limits.bytes = bytes_of_io(volume.type, limits.requests);
    return limits;
  }
  if (volume.type == "gp3") {
    limits.bytes = ec2::throughput_of(shape) * volume_mib;
    return limits;
  }
  if (which == VolumeLimits::provisioned) return {};
  if (volume.type == "gp2") return of_gp2(limits.requests, volume.size_gib);
  if (volume.type == "st1") return of_magnetic(st1, volume.size_gib);
  if (volume.type == "sc1") return of_magnetic(sc1, volume.size_gib);
  // "standard": EC2 says about a hundred on average, with bursts of some hundreds.
  return {.requests = 200, .request_bytes = magnetic_request, .bytes = 90 * volume_mib};
}

}  // namespace brume::daemon
