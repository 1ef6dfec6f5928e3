#include "control/vpcs.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "control/vpc_specs.hpp"

namespace brume::control {
namespace {

// One interface costs little; from some on, and after a start, all in one step is cheaper and repairs what is not as it should be.
constexpr size_t few = 4;

// What could not be removed (a machine on its way out still holds its tap) is tried again, whether or not anything else changes.
constexpr milliseconds vpc_retry_pause = seconds(1);
// What could not be made or put into force likewise: the host was short of something, or a program that a killed daemon had started was
// still at work.
constexpr milliseconds failure_pause = seconds(2);
// Somebody else may have the port of the host's resolver, and keep it.
constexpr milliseconds names_pause = seconds(60);

std::string id_of(const std::string& key) { return key.substr(key.find('/') + 1); }

}  // namespace

VpcReconciler::VpcReconciler(state::Store& store, Engines engines, const ControllerSettings& settings, const Ownership& ownership,
                             MetadataDoor door, Wake wake)
    : store_(store), engines_(engines), settings_(settings), ownership_(ownership), door_(std::move(door)), wake_(std::move(wake)) {}

void VpcReconciler::wake(const Woken& vpc_ids) const {
  for (const auto& id : vpc_ids) wake_("vpc/" + id, milliseconds(0));
}

void VpcReconciler::want_locked(const state::World& world, const state::Dependents* before, const state::Dependents* after, Woken& woken) {
  // Another host's instance has its taps there. What is let go is looked for here in any case: it may have been ours.
  if (after != nullptr && ownership_.is_elsewhere(world, after->key())) after = nullptr;
  std::set<std::string> keys;
  for (const auto* dependents : {before, after})
    if (dependents != nullptr)
      for (const auto& id : dependents->taps) keys.insert(state::owned_key(dependents->account, id));
  for (const auto& key : keys) {
    const bool wanted = after != nullptr && std::find(after->taps.begin(), after->taps.end(), id_of(key)) != after->taps.end();
    std::string vpc_id;
    if (const auto* interface = world.find<state::NetworkInterface>(key)) {
      vpc_id = interface->vpc_id;
    } else {
      for (const auto& [id, network] : networks_)
        if (network.wanted.contains(key)) vpc_id = id;
    }
    if (vpc_id.empty()) continue;
    if (!wanted && !networks_.contains(vpc_id)) continue;
    auto& network = networks_[vpc_id];
    const bool changed = wanted ? network.wanted.insert(key).second : network.wanted.erase(key) > 0;
    if (!changed) continue;
    network.dirty.insert(key);
    // What went wrong before was another try's.
    failures_.erase(id_of(key));
    if (!wanted) ready_.erase(id_of(key));
    woken.insert(vpc_id);
  }
}

void VpcReconciler::follow_peers(const state::World& world, const state::Change& change, Woken& woken) const {
  const auto* before = change.old<state::NetworkInterface>();
  const auto* now = change.now<state::NetworkInterface>();
  if (before == nullptr && now == nullptr) return;
  if (before != nullptr && now != nullptr && specifies_the_same(*before, *now)) return;
  const auto peers = peers_of(world, (now != nullptr ? now : before)->vpc_id);
  if (peers.empty()) return;
  const std::lock_guard lock(mutex_);
  for (const auto& id : peers)
    if (networks_.contains(id)) woken.insert(id);
}

void VpcReconciler::follow_interface(const state::NetworkInterface* before, const state::NetworkInterface& now, Woken& woken) {
  if (before != nullptr && specifies_the_same(*before, now)) return;
  const std::lock_guard lock(mutex_);
  const auto at = networks_.find(now.vpc_id);
  if (at == networks_.end() || !at->second.wanted.contains(now.key())) return;
  at->second.dirty.insert(now.key());
  woken.insert(now.vpc_id);
}

void VpcReconciler::follow_group(const state::SecurityGroup& group, Woken& woken) {
  const std::lock_guard lock(mutex_);
  const auto at = networks_.find(group.vpc_id);
  if (at == networks_.end() || !at->second.groups.contains(group.id)) return;
  at->second.dirty_groups.insert(group.key());
  woken.insert(group.vpc_id);
}

void VpcReconciler::follow(const state::Commit& commit) {
  Woken woken;
  // What is wanted, first: an interface that is let go may have lost its address in the same commit, and is not to be looked at again.
  for (const auto& change : commit.changes) {
    if (change.kind != state::Kind::dependents) continue;
    const std::lock_guard lock(mutex_);
    want_locked(*commit.world, change.old<state::Dependents>(), change.now<state::Dependents>(), woken);
  }
  for (const auto& change : commit.changes) {
    if (change.kind == state::Kind::dependents) continue;
    follow_peers(*commit.world, change, woken);
    if (const auto* interface = change.now<state::NetworkInterface>())
      follow_interface(change.old<state::NetworkInterface>(), *interface, woken);
    else if (change.kind == state::Kind::security_group)
      follow_group(change.after ? *change.now<state::SecurityGroup>() : *change.old<state::SecurityGroup>(), woken);
    else
      follow_routing(*commit.world, change, woken);
  }
  wake(woken);
}

void VpcReconciler::follow_routing(const state::World& world, const state::Change& change, Woken& woken) {
  const bool names = touches_names(change);
  if (names) wake_("names/all", milliseconds(0));
  const auto vpcs = vpcs_touched_by(world, change);
  for (const auto& key : groups_touched_by(world, change))
    if (const auto* group = world.find<state::SecurityGroup>(key)) follow_group(*group, woken);
  if (vpcs.empty() && !names) return;
  const std::lock_guard lock(mutex_);
  for (const auto& id : vpcs)
    if (networks_.contains(id)) woken.insert(id);
  // A name of an address is answered in every VPC.
  if (names)
    for (const auto& [id, network] : networks_) woken.insert(id);
}

void VpcReconciler::reconcile_names() {
  const auto done = engines_.network.ensure_names(specify_names(*store_.world(), settings_.domains.outer));
  if (done) return;
  log::warning("network", "the host cannot ask for the instances' names, tried again: {}", done.error().message);
  wake_("names/all", names_pause);
}

Result<void> VpcReconciler::recover() {
  wake_("names/all", milliseconds(0));
  const auto world = store_.world();
  auto found = engines_.network.found();
  if (!found) return fail(found.error().within("cannot read the host's networks"));
  Woken woken;
  {
    // In one piece: who looked in between would take the taps of interfaces that are not yet known for nobody's.
    const std::lock_guard lock(mutex_);
    world->each<state::Dependents>("", [&](const state::Dependents& dependents) { want_locked(*world, nullptr, &dependents, woken); });
    // While the records are not proven to be this home's, a machine that they do not know is left alone and keeps its network.
    if (settings_.records_are_proven)
      for (const auto& there : *found) note_found_locked(there);
    recovered_ = true;
    for (const auto& [id, network] : networks_) woken.insert(id);
  }
  wake(woken);
  return {};
}

// What is there but not wanted is looked at, and so removed; what is wanted is dirty already.
void VpcReconciler::note_found_locked(const network::NetworkEngine::Found& there) {
  auto& network = networks_[there.vpc_id];
  std::set<std::string> wanted;
  for (const auto& key : network.wanted) wanted.insert(id_of(key));
  for (const auto& id : there.interface_ids) {
    if (wanted.contains(id)) continue;
    network.dirty.insert("/" + id);
    network.present[id] = "/" + id;
  }
}

bool VpcReconciler::make(const ReconcilePass& pass) {
  // Every time: it is cheap when all is there, and puts back what somebody removed.
  if (auto made = engines_.network.ensure_vpc(specify(*pass.world, *pass.vpc, settings_.domains)); !made) {
    log::error("network", "cannot make {}: {}", pass.vpc_id, made.error().message);
    return false;
  }
  if (pass.network.serves_metadata) return true;
  auto listening = engines_.network.listen_metadata(pass.vpc_id);
  if (!listening) {
    log::error("network", "cannot serve metadata in {}: {}", pass.vpc_id, listening.error().message);
    return false;
  }
  if (*listening) door_.open(pass.vpc_id, std::move(*listening));
  const std::lock_guard lock(mutex_);
  networks_[pass.vpc_id].serves_metadata = true;
  return true;
}

std::vector<network::GroupSpec> VpcReconciler::groups_for(const ReconcilePass& pass, const std::vector<network::InterfaceSpec>& interfaces,
                                                          const std::set<std::string>& in_force) const {
  std::map<std::string, network::GroupSpec> specs;
  const auto add = [&](const state::SecurityGroup* group) {
    if (group != nullptr && group->vpc_id == pass.vpc_id) specs.emplace(group->id, specify(*pass.world, *group));
  };
  for (const auto& key : pass.network.dirty_groups) add(pass.world->find<state::SecurityGroup>(key));
  for (const auto& interface : interfaces)
    for (const auto& id : interface.group_ids)
      if (!in_force.contains(id)) add(pass.world->find_indexed<state::SecurityGroup>(state::Index::security_group_by_id, id));
  std::vector<network::GroupSpec> groups;
  for (auto& [id, spec] : specs) groups.push_back(std::move(spec));
  return groups;
}

void VpcReconciler::wake_instance_of(const state::World& world, const std::string& interface_key) {
  if (const auto* interface = world.find<state::NetworkInterface>(interface_key); interface != nullptr && !interface->instance_id.empty())
    wake_("instance/" + state::owned_key(interface->account, interface->instance_id), milliseconds(0));
}

void VpcReconciler::settle(const std::string& vpc_id, const std::string& interface_key, const std::string& failure) {
  const auto id = id_of(interface_key);
  {
    const std::lock_guard lock(mutex_);
    auto& network = networks_[vpc_id];
    if (failure.empty()) {
      failures_.erase(id);
      if (network.wanted.contains(interface_key)) ready_.insert(id);
      network.present[id] = interface_key;
    } else {
      failures_[id] = failure;
    }
  }
  wake_instance_of(*store_.world(), interface_key);
}

std::optional<VpcReconciler::ReconcilePass> VpcReconciler::begin(const std::string& vpc_id) {
  ReconcilePass pass;
  pass.vpc_id = vpc_id;
  {
    const std::lock_guard lock(mutex_);
    const auto at = networks_.find(vpc_id);
    if (at == networks_.end() || !recovered_) return std::nullopt;
    auto& network = at->second;
    pass.is_used = !network.wanted.empty();
    pass.network.made = network.made;
    pass.network.serves_metadata = network.serves_metadata;
    pass.network.groups = network.groups;
    pass.network.dirty = std::exchange(network.dirty, {});
    pass.network.dirty_groups = std::exchange(network.dirty_groups, {});
    // A VPC may have thousands of interfaces: a copy of all of them only where all are looked at.
    pass.is_whole = !network.made || pass.network.dirty.size() > std::max(few, network.wanted.size() / 8);
    if (pass.is_whole)
      pass.network.wanted = network.wanted;
    else
      for (const auto& key : pass.network.dirty)
        if (network.wanted.contains(key)) pass.network.wanted.insert(key);
  }
  // After the dirty marks are taken: a change from here on marks anew.
  pass.world = store_.world();
  pass.vpc = pass.world->find_indexed<state::Vpc>(state::Index::vpc_by_id, vpc_id);
  for (const auto& key : pass.network.dirty) {
    const auto* interface = pass.world->find<state::NetworkInterface>(key);
    // Let go in between: the mark of that is on its way.
    if (pass.network.wanted.contains(key) && interface != nullptr && interface->private_ip.empty()) continue;
    if (pass.network.wanted.contains(key) && interface != nullptr) {
      pass.wanted.push_back(specify(*pass.world, *interface, engines_.hypervisor.user_of(interface->instance_id)));
      pass.keys[interface->id] = key;
    } else {
      pass.unwanted.push_back(id_of(key));
    }
  }
  return pass;
}

void VpcReconciler::remove_unwanted(const ReconcilePass& pass) {
  for (const auto& id : pass.unwanted) {
    if (auto removed = engines_.network.remove_interface(pass.vpc_id, id); !removed) {
      log::warning("network", "cannot remove {} from {}, tried again: {}", id, pass.vpc_id, removed.error().message);
      {
        const std::lock_guard lock(mutex_);
        networks_[pass.vpc_id].dirty.insert("/" + id);
      }
      wake_("vpc/" + pass.vpc_id, vpc_retry_pause);
      continue;
    }
    std::string key;
    Woken woken;
    {
      const std::lock_guard lock(mutex_);
      auto& network = networks_[pass.vpc_id];
      if (const auto at = network.present.find(id); at != network.present.end()) {
        key = at->second;
        network.present.erase(at);
      }
      ready_.erase(id);
      failures_.erase(id);
      // Wanted again while it was being removed: its mark was taken by this pass, so it is set anew. Only of a tap that was found on the
      // host the key is not known; of thousands that go at once each would walk over thousands here, and the writer waits.
      const auto again = key.empty() || key.front() == '/' ? std::find_if(network.wanted.begin(), network.wanted.end(),
                                                                          [&](const auto& each) { return id_of(each) == id; })
                                                           : network.wanted.find(key);
      if (again != network.wanted.end()) {
        network.dirty.insert(*again);
        woken.insert(pass.vpc_id);
      }
    }
    wake(woken);
    wake_instance_of(*pass.world, key);
  }
}

Result<void> VpcReconciler::apply_whole(const ReconcilePass& pass, std::set<std::string>& groups_in_force) {
  std::vector<network::InterfaceSpec> interfaces;
  for (const auto& key : pass.network.wanted)
    if (const auto* interface = pass.world->find<state::NetworkInterface>(key); interface != nullptr && !interface->private_ip.empty())
      interfaces.push_back(specify(*pass.world, *interface, engines_.hypervisor.user_of(interface->instance_id)));
  const auto groups = groups_for(pass, interfaces, {});
  auto applied = engines_.network.ensure_all(specify(*pass.world, *pass.vpc, settings_.domains), groups, interfaces);
  if (!applied) return applied;
  groups_in_force.clear();
  for (const auto& group : groups) groups_in_force.insert(group.id);
  return {};
}

std::map<std::string, std::string> VpcReconciler::apply_changes(const ReconcilePass& pass, std::set<std::string>& groups_in_force) {
  std::map<std::string, std::string> failures;
  std::string group_failure;
  for (const auto& group : groups_for(pass, pass.wanted, pass.network.groups)) {
    if (auto applied = engines_.network.ensure_group(group); !applied) {
      failures[group.id] = group_failure = applied.error().message;
      log::error("network", "cannot put {} into force: {}", group.id, group_failure);
    } else {
      groups_in_force.insert(group.id);
    }
  }
  for (const auto& interface : pass.wanted) {
    auto& failure = failures[interface.id];
    failure = group_failure;
    if (!failure.empty()) continue;
    if (auto applied = engines_.network.ensure_interface(interface); !applied) {
      failure = applied.error().message;
      log::error("network", "cannot make {}: {}", interface.id, failure);
    }
  }
  return failures;
}

bool VpcReconciler::apply(const ReconcilePass& pass, bool made) {
  if (pass.vpc == nullptr || (pass.wanted.empty() && pass.network.dirty_groups.empty())) return made;
  auto groups_in_force = pass.network.groups;
  std::map<std::string, std::string> failures;
  std::string failure = made ? std::string() : std::string("the VPC's network cannot be made; the daemon's log says why");
  if (made && pass.is_whole) {
    if (auto applied = apply_whole(pass, groups_in_force); !applied) {
      failure = applied.error().message;
      log::error("network", "cannot program {}: {}", pass.vpc_id, failure);
    }
  } else if (made) {
    failures = apply_changes(pass, groups_in_force);
  }
  {
    const std::lock_guard lock(mutex_);
    auto& network = networks_[pass.vpc_id];
    network.made = network.made || (made && failure.empty());
    network.groups = std::move(groups_in_force);
  }
  for (const auto& interface : pass.wanted)
    settle(pass.vpc_id, pass.keys.at(interface.id), failure.empty() ? failures[interface.id] : failure);
  return failure.empty() && std::all_of(failures.begin(), failures.end(), [](const auto& one) { return one.second.empty(); });
}

void VpcReconciler::try_again(const ReconcilePass& pass) {
  {
    const std::lock_guard lock(mutex_);
    const auto at = networks_.find(pass.vpc_id);
    if (at == networks_.end()) return;
    auto& network = at->second;
    for (const auto& key : pass.network.dirty)
      if (network.wanted.contains(key)) network.dirty.insert(key);
    network.dirty_groups.insert(pass.network.dirty_groups.begin(), pass.network.dirty_groups.end());
  }
  wake_("vpc/" + pass.vpc_id, failure_pause);
}

void VpcReconciler::remove_groups(const ReconcilePass& pass) {
  for (const auto& key : pass.network.dirty_groups) {
    if (pass.world->find<state::SecurityGroup>(key) != nullptr) continue;
    const auto removed = engines_.network.remove_group(pass.vpc_id, id_of(key));
    {
      const std::lock_guard lock(mutex_);
      auto& network = networks_[pass.vpc_id];
      if (removed)
        network.groups.erase(id_of(key));
      else
        network.dirty_groups.insert(key);
    }
    if (removed) continue;
    log::warning("network", "cannot remove {} from {}, tried again: {}", id_of(key), pass.vpc_id, removed.error().message);
    wake_("vpc/" + pass.vpc_id, failure_pause);
  }
}

void VpcReconciler::remove_if_empty(const std::string& vpc_id) {
  const auto is_empty = [](const Network& network) { return network.wanted.empty() && network.dirty.empty() && network.present.empty(); };
  {
    const std::lock_guard lock(mutex_);
    auto& network = networks_[vpc_id];
    if (!is_empty(network)) return;
    network.made = network.serves_metadata = false;
    network.groups.clear();
  }
  door_.close(vpc_id);
  if (auto removed = engines_.network.remove_vpc(vpc_id); !removed) {
    log::warning("network", "cannot remove {}, tried again: {}", vpc_id, removed.error().message);
    return wake_("vpc/" + vpc_id, vpc_retry_pause);
  }
  const std::lock_guard lock(mutex_);
  // Somebody may have asked for an interface since: the record of it stays, and its wake is already queued.
  if (is_empty(networks_[vpc_id])) networks_.erase(vpc_id);
}

void VpcReconciler::reconcile(const std::string& vpc_id) {
  const auto pass = begin(vpc_id);
  if (!pass) return;
  const bool made = pass->is_used && pass->vpc != nullptr && make(*pass);
  remove_unwanted(*pass);
  const bool applied = apply(*pass, made);
  remove_groups(*pass);
  remove_if_empty(vpc_id);
  if (pass->is_used && pass->vpc != nullptr && !(made && applied)) try_again(*pass);
}

bool VpcReconciler::ready(const std::string& interface_id) const {
  const std::lock_guard lock(mutex_);
  return ready_.contains(interface_id);
}

std::string VpcReconciler::failure(const std::string& interface_id) const {
  const std::lock_guard lock(mutex_);
  const auto at = failures_.find(interface_id);
  return at == failures_.end() ? std::string() : at->second;
}

}  // namespace brume::control
