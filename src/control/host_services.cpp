#include "control/host_services.hpp"

namespace brume::control {

Result<HostServices*> HostRouter::reach(const std::string& host) const {
  if (auto* found = reach_(host)) return found;
  return fail(ErrorKind::timed_out, "the host " + host + " cannot be reached");
}

Result<HostServices*> HostRouter::of_instance(const std::string& id) const {
  const auto world = store_.world();
  const auto* instance = world->find_indexed<state::Instance>(state::Index::instance_by_id, id);
  if (instance == nullptr) return fail(ErrorKind::not_found, id + " is not there");
  return reach(instance->host);
}

Result<HostServices*> HostRouter::of_snapshot(const std::string& id) const {
  const auto world = store_.world();
  const auto* snapshot = world->find_indexed<state::Snapshot>(state::Index::snapshot_by_id, id);
  if (snapshot == nullptr) return fail(ErrorKind::not_found, id + " is not there");
  return reach(snapshot->host);
}

std::optional<compute::Hypervisor::Console> HostRouter::console(const std::string& instance_id, size_t limit) {
  const auto host = of_instance(instance_id);
  return host ? (*host)->console(instance_id, limit) : std::nullopt;
}

Result<std::string> HostRouter::screenshot(const std::string& instance_id, bool wake) {
  const auto host = of_instance(instance_id);
  return host ? (*host)->screenshot(instance_id, wake) : fail(host.error());
}

std::vector<Controller::Tunnel> HostRouter::tunnels(const std::string& vpc_id) {
  const auto host = reach(home_);
  return host ? (*host)->tunnels(vpc_id) : std::vector<Controller::Tunnel>();
}

Result<DirectSnapshots::Runs> HostRouter::blocks(const std::string& snapshot_id) {
  const auto host = of_snapshot(snapshot_id);
  return host ? (*host)->blocks(snapshot_id) : fail(host.error());
}

Result<DirectSnapshots::Changes> HostRouter::changed(const std::string& snapshot_id, const std::string& since) {
  const auto host = of_snapshot(snapshot_id);
  return host ? (*host)->changed(snapshot_id, since) : fail(host.error());
}

Result<std::string> HostRouter::read(const std::string& snapshot_id, std::int64_t block) {
  const auto host = of_snapshot(snapshot_id);
  return host ? (*host)->read(snapshot_id, block) : fail(host.error());
}

Result<void> HostRouter::write(const std::string& snapshot_id, std::int64_t block, std::string_view data) {
  const auto host = of_snapshot(snapshot_id);
  return host ? (*host)->write(snapshot_id, block, data) : fail(host.error());
}

Result<DirectSnapshots::Written> HostRouter::written(const std::string& snapshot_id, bool with_digest) {
  const auto host = of_snapshot(snapshot_id);
  return host ? (*host)->written(snapshot_id, with_digest) : fail(host.error());
}

Result<void> HostRouter::complete(const std::string& snapshot_id) {
  const auto host = of_snapshot(snapshot_id);
  return host ? (*host)->complete(snapshot_id) : fail(host.error());
}

}  // namespace brume::control
