// Types chosen by what they have (instance_type_listing.cpp shows what that is).
#pragma once

#include <vector>

#include "service/action.hpp"

namespace brume::ec2 {

std::vector<service::Action> instance_requirement_actions();

}  // namespace brume::ec2
