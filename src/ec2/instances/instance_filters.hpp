// The filters of DescribeInstances (NET-010): every one that EC2 documents, for both API versions.
#pragma once

#include <span>

#include "ec2/common/filters.hpp"

namespace brume::ec2 {

// For a FilterSet that is given the context: names are formed with the installation's domains.
std::span<const FilterField<state::Instance>> instance_filters();

}  // namespace brume::ec2
