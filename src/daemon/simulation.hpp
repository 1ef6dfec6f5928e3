// What only simulation mode has: a known account, a handful of images, and a reset.
#pragma once

#include <string_view>

#include "service/services.hpp"
#include "state/store.hpp"
#include "wire/http_server.hpp"

namespace brume::daemon {

inline constexpr std::string_view simulated_account = "123456789012";

// Public images of no account's, so that a launch finds something. There is nothing behind them: machines are pretended.
void register_simulated_images(state::Transaction& transaction);

// POST /_brume/reset: empties the world of the account that the access key names, without a key the simulated account's. Refused
// outside of simulation.
void reset_simulation(const service::Services& services, const wire::HttpRequest& request, const wire::Responder& respond);

}  // namespace brume::daemon
