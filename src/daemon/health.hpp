// GET /health: whether the daemon works, for load balancers and monitors. 200 if everything works, else 503 with what does not.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "service/worker_pool.hpp"
#include "state/store.hpp"
#include "wire/http/server.hpp"

namespace brume::daemon {

// Anybody may ask, so the checks run at most once a second. Threads: answer may be called from any thread; the checks run on a worker.
class Health {
 public:
  // Returns "ok", or in a few words what is wrong. May wait for some seconds, not forever.
  using Check = std::function<std::string()>;

  // `now`: from a clock that only moves forward.
  Health(std::vector<std::pair<std::string, Check>> checks, service::WorkerPool& workers, std::function<milliseconds()> now);

  void answer(const wire::Responder& respond);

 private:
  void look();

  const std::vector<std::pair<std::string, Check>> checks_;
  service::WorkerPool& workers_;
  const std::function<milliseconds()> now_;
  std::mutex mutex_;  // what follows
  std::vector<wire::Responder> waiting_;
  bool looking_ = false;
  milliseconds looked_at_{-1'000'000};
  wire::HttpResponse last_;
};

// Whether a change of the state becomes durable within two seconds; it makes one.
std::string check_state(state::Store& store);
// Whether the disks of the home have room.
std::string check_disks(const std::string& home);

}  // namespace brume::daemon
