#include "daemon/hosts.hpp"

#include <utility>

namespace brume::daemon {
namespace {

template <class Record>
void place_all(state::Transaction& transaction, const std::string& host) {
  transaction.world().each<Record>("", [&](const Record& record) {
    if (record.host == host) return;
    auto placed = record;
    placed.host = host;
    transaction.put(std::move(placed));
  });
}

}  // namespace

std::string take_host(state::Transaction& transaction, const std::string& name, const Capacity& capacity) {
  state::Host host;
  host.id = "host-1";
  transaction.world().each<state::Host>("", [&](const state::Host& found) {
    host = found;
    return false;
  });
  host.name = name;
  host.memory_mib = capacity.memory_mib;
  host.processors = capacity.processors;
  const auto id = host.id;
  transaction.put(std::move(host));
  place_all<state::Instance>(transaction, id);
  place_all<state::Volume>(transaction, id);
  place_all<state::Snapshot>(transaction, id);
  place_all<state::Image>(transaction, id);
  return id;
}

}  // namespace brume::daemon
