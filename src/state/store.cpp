#include "state/store.hpp"

namespace brume::state {

Result<std::unique_ptr<Store>> Store::open(std::shared_ptr<Log> log, const Clock& clock, Random& random) {
  auto replica = Replica::open(std::move(log));
  if (!replica) return brume::fail(replica.error());
  return std::unique_ptr<Store>(new Store(std::move(*replica), clock, random));
}

}  // namespace brume::state
