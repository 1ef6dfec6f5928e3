// Types chosen by their attributes (instance_type_listing.cpp shows those).
#pragma once

#include <vector>

#include "service/action.hpp"

namespace brume::ec2 {

std::vector<service::Action> instance_requirement_actions();

}  // namespace brume::ec2
