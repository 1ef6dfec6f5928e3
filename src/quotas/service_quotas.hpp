// Service Quotas: what an account may have of EC2, as its own service shows it. It is the operator who changes a quota (brume account
// limit): asking for more is not built.
#pragma once

#include "service/action.hpp"

namespace brume::quotas {

service::ServiceTable make_service();

}  // namespace brume::quotas
