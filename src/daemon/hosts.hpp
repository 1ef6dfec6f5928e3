// The record of the host that the daemon runs on.
#pragma once

#include <string>

#include "daemon/service_settings.hpp"
#include "state/store.hpp"

namespace brume::daemon {

// Puts the record with what the host is called and has today; its id. The log is this host's alone, so the one record that there may be
// already is its own, whatever it was called then. What names no host, or one that is not there, is placed on it: a Brume from before
// there were hosts wrote it.
std::string take_host(state::Transaction& transaction, const std::string& name, const Capacity& capacity);

}  // namespace brume::daemon
