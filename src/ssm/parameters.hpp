// The Systems Manager's public parameters: which image is the newest of its kind. Nothing else of it is built.
#pragma once

#include "service/action.hpp"

namespace brume::ssm {

service::ServiceTable make_service();

}  // namespace brume::ssm
