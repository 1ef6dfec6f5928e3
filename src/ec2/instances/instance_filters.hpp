// The filters of DescribeInstances (NET-010): all that EC2 documents, for both API versions.
#pragma once

#include <span>

#include "ec2/common/filters.hpp"

namespace brume::ec2 {

// For a FilterSet with a context, because names are formed with the installation's domains.
std::span<const FilterField<state::Instance>> instance_filters();

}  // namespace brume::ec2
