// The content of a launch template's version: kept as the parameters that a client sent, shown as EC2 shows them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "state/store.hpp"
#include "wire/ec2/launch_templates.hpp"

namespace brume::ec2 {

using Parameters = std::vector<state::Parameter>;

// The parameters of a request below "LaunchTemplateData.", sorted by name, without that prefix.
Parameters template_parameters(const std::vector<std::pair<std::string, std::string>>& sent);
// `above` where it has a value, else `below`: parameter by parameter, block device mappings by device, tags by resource type, security
// groups all or none.
Parameters overlaid(const Parameters& above, const Parameters& below);

wire::ec2::RequestLaunchTemplateData read_template_data(const Parameters& parameters);
wire::ec2::ResponseLaunchTemplateData show_template_data(const wire::ec2::RequestLaunchTemplateData& data);
// A template that would launch an instance like this one.
wire::ec2::ResponseLaunchTemplateData template_data_of(const state::World& world, const state::Instance& instance);

// Throws UnsupportedOperation for parameters that no launch here could use and no answer could show.
void check_template_data(const wire::ec2::RequestLaunchTemplateData& data);

}  // namespace brume::ec2
