// Launch templates: parameters of RunInstances kept under a name, in numbered versions.
#pragma once

#include <string>

#include "service/action.hpp"
#include "state/store.hpp"
#include "wire/ec2/instances.hpp"

namespace brume::ec2 {

struct UsedTemplate {
  std::string id;  // empty: none
  std::int64_t version = 0;
};

// The request of `context`, completed by the template that it names: its own values take precedence, for block device mappings by device
// and for tags by resource type. Throws the errors of a missing template or version.
wire::ec2::RunInstancesRequest with_launch_template(const state::World& world, const service::Context& context,
                                                    const wire::ec2::LaunchTemplateSpecification& specification, UsedTemplate& used);

}  // namespace brume::ec2
