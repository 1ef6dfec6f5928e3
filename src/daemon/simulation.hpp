// What only simulation mode has: a known account, a handful of images, and a reset.
#pragma once

#include <functional>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "service/services.hpp"
#include "service/worker_pool.hpp"
#include "state/store.hpp"
#include "wire/http/server.hpp"

namespace brume::daemon {

inline constexpr std::string_view simulated_account = "123456789012";

// Public images of no account's, so that a launch finds something. There is nothing behind them: machines are pretended. Their ids are the
// same at every start, and others in each region, as in EC2; docs/simulation.md has those of us-east-1.
void register_simulated_images(state::Transaction& transaction, const service::Settings& settings);
// Returns when they can be launched, which is a moment after control has started.
void await_simulated_images(state::Store& store);

// POST /_brume/reset: empties the world of the account that the access key names, without a key the simulated account's, in all regions.
// Refused outside of simulation.
void reset_simulation(std::span<const service::Services* const> regions, const wire::HttpRequest& request, const wire::Responder& respond);

// --any-image: code under test names images of real accounts, by ids that nobody here knows. What looks like an image's id in a request and
// never was one becomes a public image before the request is answered; it boots as little as the others. An id that was deregistered
// stays unknown. Threads: provide may be called from any thread.
class AnyImages {
 public:
  // `go_on` answers the request: at once, or on a worker when images have to be made first.
  void provide(const service::Services& services, service::WorkerPool& workers, const wire::HttpRequest& request,
               std::function<void()> go_on);

 private:
  // Those in the request that have to be made.
  std::set<std::string> unknown_ids(const state::World& world, const wire::HttpRequest& request);

  std::mutex mutex_;
  std::set<std::string> deregistered_;
};

}  // namespace brume::daemon
