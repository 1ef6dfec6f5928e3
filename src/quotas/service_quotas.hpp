// Service Quotas: an account's quotas for EC2, as that service shows them. The operator changes a quota (brume account limit); asking for
// more is not built.
#pragma once

#include "service/action.hpp"

namespace brume::quotas {

service::ServiceTable make_service();

}  // namespace brume::quotas
