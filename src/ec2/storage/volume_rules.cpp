#include "ec2/storage/volume_rules.hpp"
#include "ec2/accounts/quotas.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "domain/zones.hpp"

namespace brume::ec2 {
namespace {

struct VolumeType {
  std::string_view name;
  std::int64_t least_gib, most_gib;
  std::int64_t least_iops = 0, most_iops = 0;  // 0: cannot be chosen
  std::int64_t iops_per_gib = 0;               // at most
  std::int64_t default_iops = 0;               // 0: has to be named
  std::int64_t least_throughput = 0, most_throughput = 0;
};

constexpr VolumeType volume_types[] = {
    {"standard", 1, 1024},
    {"gp2", 1, 16'384},
    {"gp3", 1, 65'536, 3000, 80'000, 500, 3000, 125, 2000},
    {"io1", 4, 16'384, 100, 64'000, 50},
    {"io2", 4, 65'536, 100, 256'000, 1000},
    {"st1", 125, 16'384},
    {"sc1", 125, 16'384},
};
constexpr std::int64_t iops_per_throughput = 4;  // of gp3: each MiB/s needs four IOPS

const VolumeType* find_type(std::string_view name) {
  const auto* at = std::find_if(std::begin(volume_types), std::end(volume_types), [&](const auto& type) { return type.name == name; });
  return at == std::end(volume_types) ? nullptr : at;
}

void check_size(const VolumeType& type, std::int64_t gib) {
  if (gib < type.least_gib)
    throw wire::invalid_parameter_value(
        fmt::format("Volume of {}GiB is too small for volume type {}; minimum is {}GiB.", gib, type.name, type.least_gib));
  if (gib > type.most_gib)
    throw wire::invalid_parameter_value(
        fmt::format("Volume of {}GiB is too large for volume type {}; maximum is {}GiB.", gib, type.name, type.most_gib));
}

void check_iops(const VolumeType& type, const VolumeShape& shape) {
  if (shape.iops != 0 && type.most_iops == 0)
    throw wire::invalid_parameter_combination(fmt::format("The parameter iops is not supported for {} volumes.", type.name));
  if (type.most_iops == 0) return;
  if (shape.iops == 0) {
    if (type.default_iops == 0)
      throw wire::ApiError(400, "MissingParameter", fmt::format("The parameter iops must be specified for {} volumes.", type.name));
    return;
  }
  if (shape.iops < type.least_iops)
    throw wire::invalid_parameter_value(fmt::format("Volume iops of {} is too low; minimum is {}.", shape.iops, type.least_iops));
  if (shape.iops > type.most_iops)
    throw wire::invalid_parameter_value(fmt::format("Volume iops of {} is too high; maximum is {}.", shape.iops, type.most_iops));
  // What a type gives to every volume is not too much for a small one.
  if (shape.iops > std::max(shape.size_gib * type.iops_per_gib, type.default_iops))
    throw wire::invalid_parameter_value(fmt::format("Iops to volume size ratio of {:.6f} is too high; maximum is {} per GiB.",
                                                    static_cast<double>(shape.iops) / static_cast<double>(shape.size_gib),
                                                    type.iops_per_gib));
}

void check_throughput(const VolumeType& type, const VolumeShape& shape) {
  if (shape.throughput == 0) return;
  if (type.most_throughput == 0)
    throw wire::invalid_parameter_combination(fmt::format("The parameter throughput is not supported for {} volumes.", type.name));
  if (shape.throughput < type.least_throughput)
    throw wire::invalid_parameter_value(
        fmt::format("Throughput of {} MiB/s is too low; minimum is {} MiB/s.", shape.throughput, type.least_throughput));
  if (shape.throughput > type.most_throughput)
    throw wire::invalid_parameter_value(
        fmt::format("Throughput of {} MiB/s is too high; maximum is {} MiB/s.", shape.throughput, type.most_throughput));
  if (shape.throughput * iops_per_throughput > iops_of(shape))
    throw wire::invalid_parameter_value(
        fmt::format("Throughput (MiBps) to iops ratio of {:.6f} is too high; maximum is 0.250000 MiBps per iops.",
                    static_cast<double>(shape.throughput) / static_cast<double>(iops_of(shape))));
}

// A name without "/dev/", in the form in which names of one place are equal: "sdf", "sdf1", "hdc".
std::string place_of(std::string_view device) {
  if (device.starts_with("/dev/")) device.remove_prefix(5);
  if (device.starts_with("xvd")) return "sd" + std::string(device.substr(3));
  return std::string(device);
}

}  // namespace

wire::ApiError invalid_mapping(std::string message) { return {400, "InvalidBlockDeviceMapping", std::move(message)}; }

std::string volume_quota_exceeded(const state::World& world, const service::Context& context, std::int64_t volumes, std::int64_t gib) {
  const auto& usage = world.usage(context.account());
  const auto most = quota_of(world, context, Quota::volumes);
  if (volumes > most - usage.volumes) return quota_exceeded(Quota::volumes, most).message;
  const auto most_gib = quota_of(world, context, Quota::volume_gib);
  if (gib > most_gib - usage.volume_gib) return quota_exceeded(Quota::volume_gib, most_gib).message;
  return {};
}

void check_volume_quota(const state::World& world, const service::Context& context, std::int64_t volumes, std::int64_t gib) {
  if (const auto why = volume_quota_exceeded(world, context, volumes, gib); !why.empty())
    throw wire::ApiError(400, "VolumeLimitExceeded", why);
}

void check_snapshot_quota(const state::World& world, const service::Context& context, std::int64_t snapshots) {
  const auto most = quota_of(world, context, Quota::snapshots);
  // Nearly always the whole installation has fewer.
  if (snapshots <= most - static_cast<std::int64_t>(world.size<state::Snapshot>())) return;
  world.each_of<state::Snapshot>(context.account(), [&](const state::Snapshot&) { return ++snapshots <= most; });
  if (snapshots > most) throw quota_exceeded(Quota::snapshots, most);
}

void check_volume_shape(const VolumeShape& shape) {
  const auto* type = find_type(shape.type);
  if (type == nullptr)
    throw wire::ApiError(400, "UnknownVolumeType", fmt::format("Unsupported volume type '{}' for volume creation.", shape.type));
  check_size(*type, shape.size_gib);
  check_iops(*type, shape);
  check_throughput(*type, shape);
}

void check_can_multi_attach(const std::string& type) {
  if (type != "io1" && type != "io2")
    throw wire::invalid_parameter_combination(fmt::format("Multi-Attach is not supported for {} volumes.", type));
}

std::int64_t iops_of(const VolumeShape& shape) {
  if (shape.iops != 0) return shape.iops;
  // gp2 gives three per GiB.
  if (shape.type == "gp2") return std::clamp<std::int64_t>(3 * shape.size_gib, 100, 16'000);
  const auto* type = find_type(shape.type);
  return type == nullptr ? 0 : type->default_iops;
}

std::int64_t throughput_of(const VolumeShape& shape) {
  if (shape.throughput != 0) return shape.throughput;
  const auto* type = find_type(shape.type);
  return type == nullptr ? 0 : type->least_throughput;
}

VolumeShape shape_of(const state::Volume& volume) {
  VolumeShape shape{volume.type, volume.size_gib, volume.iops, volume.throughput};
  // A number that follows from the type and size was not chosen by the client.
  const auto* type = find_type(shape.type);
  if (type == nullptr || type->most_iops == 0) shape.iops = 0;
  if (type == nullptr || type->most_throughput == 0) shape.throughput = 0;
  return shape;
}

bool is_device_name(std::string_view device) {
  const auto place = place_of(device);
  const bool is_xvd = device.find("xvd") != std::string_view::npos;
  if (!place.starts_with("sd") && !(place.starts_with("hd") && !is_xvd)) return false;
  auto rest = std::string_view(place).substr(2);
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  if (rest.empty() || !is_letter(rest.front())) return false;
  rest.remove_prefix(1);
  // Guests with more disks than letters continue with xvdba.
  if (is_xvd && !rest.empty() && is_letter(rest.front())) rest.remove_prefix(1);
  if (rest.empty()) return true;
  // A partition's number, 1 to 15.
  if (rest.size() > 2 || rest.front() == '0') return false;
  if (!std::all_of(rest.begin(), rest.end(), [](char c) { return c >= '0' && c <= '9'; })) return false;
  return rest.size() == 1 || (rest[0] == '1' && rest[1] <= '5');
}

bool is_same_device(std::string_view a, std::string_view b) { return place_of(a) == place_of(b); }

void check_device_name(std::string_view device) {
  if (!is_device_name(device))
    throw wire::invalid_parameter_value(
        fmt::format("Value ({0}) for parameter device is invalid. {0} is not a valid EBS device name.", device));
}

std::string find_zone(const state::World& world, const service::Context& context, const std::optional<std::string>& name,
                      const std::optional<std::string>& id) {
  const auto wanted_name = name.value_or("");
  const auto wanted_id = id.value_or("");
  if (wanted_name.empty() && wanted_id.empty()) return {};
  if (!wanted_name.empty() && !wanted_id.empty())
    throw wire::invalid_parameter_combination("Either AvailabilityZone or AvailabilityZoneId may be given, not both.");
  for (const auto& zone : domain::zones_of(world, context.account(), context.services.settings.zones))
    if (wanted_name.empty() ? zone.id == wanted_id : zone.name == wanted_name) return zone.name;
  throw wire::ApiError(400, "InvalidZone.NotFound",
                       fmt::format("The zone '{}' does not exist.", wanted_name.empty() ? wanted_id : wanted_name));
}

}  // namespace brume::ec2
