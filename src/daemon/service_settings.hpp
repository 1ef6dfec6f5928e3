// What the actions know of this installation, from the operator's configuration.
#pragma once

#include "daemon/configuration.hpp"
#include "service/services.hpp"

namespace brume::daemon {

service::Settings make_settings(const Configuration& configuration);

}  // namespace brume::daemon
