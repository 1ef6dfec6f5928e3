#include <algorithm>

#include "ec2/actions.hpp"
#include "ec2/common/filters.hpp"
#include "wire/ec2/regions.hpp"

namespace brume::ec2 {
namespace {

using service::Context;

struct RegionRecord {
  std::string name;
  std::string endpoint;
};

const FilterField<RegionRecord> region_filters[] = {
    {"region-name", [](const auto& at, auto& out) { out.add(at.record.name); }},
    {"endpoint", [](const auto& at, auto& out) { out.add(at.record.endpoint); }},
    {"opt-in-status", [](const auto&, auto& out) { out.add("opt-in-not-required"); }},
};

wire::ec2::DescribeRegionsResponse describe_regions(const state::World& world, const Context& context,
                                                    const wire::ec2::DescribeRegionsRequest& request) {
  const auto& regions = context.services.settings.regions;
  const auto& asked = request.region_names;
  for (const auto& name : asked)
    if (std::none_of(regions.begin(), regions.end(), [&](const auto& region) { return region.name == name; }))
      throw wire::invalid_parameter_value("Invalid region provided: " + name);
  const FilterSet<RegionRecord> filters(region_filters, request.filters);
  wire::ec2::DescribeRegionsResponse response;
  for (const auto& [name, url] : regions) {
    if (!asked.empty() && std::find(asked.begin(), asked.end(), name) == asked.end()) continue;
    // Host and port, as EC2 names an endpoint without its scheme.
    const auto scheme = url.find("://");
    const auto endpoint = scheme == std::string::npos ? url : url.substr(scheme + 3);
    if (!filters.match(world, {name, endpoint}, {}, {})) continue;
    auto& region = response.regions.emplace_back();
    region.region_name = name;
    region.endpoint = endpoint;
    region.opt_in_status = "opt-in-not-required";
  }
  return response;
}

struct ZoneRecord {
  const service::Zone& zone;
  const std::string& region;
};

const FilterField<ZoneRecord> zone_filters[] = {
    {"zone-name", [](const auto& at, auto& out) { out.add(at.record.zone.name); }},
    {"zone-id", [](const auto& at, auto& out) { out.add(at.record.zone.id); }},
    {"region-name", [](const auto& at, auto& out) { out.add(at.record.region); }},
    {"group-name", [](const auto& at, auto& out) { out.add(at.record.region); }},
    {"group-long-name", [](const auto& at, auto& out) { out.add(at.record.region); }},
    {"parent-zone-id", [](const auto&, auto&) {}},
    {"parent-zone-name", [](const auto&, auto&) {}},
    {"state", [](const auto&, auto& out) { out.add("available"); }},
    {"message", [](const auto&, auto&) {}},
    {"zone-type", [](const auto&, auto& out) { out.add("availability-zone"); }},
    {"opt-in-status", [](const auto&, auto& out) { out.add("opt-in-not-required"); }},
};

wire::ec2::DescribeAvailabilityZonesResponse describe_zones(const state::World& world, const Context& context,
                                                            const wire::ec2::DescribeAvailabilityZonesRequest& request) {
  const auto& settings = context.services.settings;
  const auto zones = domain::zones_of(world, context.account(), settings.zones);
  const auto named = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  const auto check = [&](const std::vector<std::string>& asked, auto member) {
    for (const auto& name : asked)
      if (std::none_of(zones.begin(), zones.end(), [&](const auto& zone) { return zone.*member == name; }))
        throw wire::invalid_parameter_value("Invalid availability zone: [" + name + "]");
  };
  check(request.zone_names, &service::Zone::name);
  check(request.zone_ids, &service::Zone::id);
  const FilterSet<ZoneRecord> filters(zone_filters, request.filters);
  wire::ec2::DescribeAvailabilityZonesResponse response;
  for (const auto& zone : zones) {
    if (!request.zone_names.empty() && !named(request.zone_names, zone.name)) continue;
    if (!request.zone_ids.empty() && !named(request.zone_ids, zone.id)) continue;
    if (!filters.match(world, {zone, settings.region}, {}, {})) continue;
    auto& item = response.availability_zones.emplace_back();
    item.zone_name = zone.name;
    item.zone_id = zone.id;
    item.region_name = settings.region;
    item.group_name = settings.region;
    item.group_long_name = settings.region;
    item.network_border_group = settings.region;
    item.zone_type = "availability-zone";
    item.opt_in_status = "opt-in-not-required";
    item.state = "available";
  }
  return response;
}

}  // namespace

std::vector<service::Action> region_actions() {
  using namespace wire::ec2;
  return {
      service::read_action<DescribeRegionsRequest>("DescribeRegions", describe_regions),
      service::read_action<DescribeAvailabilityZonesRequest>("DescribeAvailabilityZones", describe_zones),
  };
}

}  // namespace brume::ec2
