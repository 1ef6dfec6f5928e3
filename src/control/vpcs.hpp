// Keeps each VPC's namespace, taps and rules as the state wants them. Changes of many interfaces that wait together are made together.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "control/controller.hpp"

namespace brume::control {

// Threads: wants, changed and ready may be called from any thread; reconcile for one VPC by one thread at a time (the queue's promise).
class VpcReconciler {
 public:
  using Wake = std::function<void(const std::string& key, milliseconds delay)>;
  VpcReconciler(state::Store& store, Engines engines, const ControllerSettings& settings, const Ownership& ownership, MetadataDoor door,
                Wake wake);

  // Takes what is in the host and in the state at start.
  Result<void> recover();
  // Looks at a commit for what concerns networks.
  void follow(const state::Commit& commit);
  // What the host itself is told of names.
  void reconcile_names();
  // Makes the VPC "vpc-…" as wanted.
  void reconcile(const std::string& vpc_id);

  // Is the interface's tap there, with its rules in force? Else its instance is woken when it is.
  bool ready(const std::string& interface_id) const;
  // What went wrong when it was last tried; empty when nothing did.
  std::string failure(const std::string& interface_id) const;

 private:
  struct Network {
    bool made = false;  // as a whole, by this process
    bool serves_metadata = false;
    std::set<std::string> wanted;                // interface keys "account/eni-…"
    std::set<std::string> dirty;                 // interface keys to pass at again
    std::set<std::string> dirty_groups;          // group keys to pass at again
    std::set<std::string> groups;                // group ids in force
    std::map<std::string, std::string> present;  // interface id → its key, of those with a tap
  };

  // Ids of VPCs to pass at again. They are collected while the lock is held, and woken without it: the queue has a lock of its own.
  using Woken = std::set<std::string>;
  void wake(const Woken& vpc_ids) const;
  void want_locked(const state::World& world, const state::Dependents* before, const state::Dependents* after, Woken& woken);
  void follow_interface(const state::NetworkInterface* before, const state::NetworkInterface& now, Woken& woken);
  void follow_group(const state::SecurityGroup& group, Woken& woken);
  // Interfaces that come, go or change groups: peer VPCs may have rules for their groups.
  void follow_peers(const state::World& world, const state::Change& change, Woken& woken) const;
  // Routes, ACLs, gateways and the like: the VPCs that they are of are looked at again.
  void follow_routing(const state::World& world, const state::Change& change, Woken& woken);
  void note_found_locked(const network::NetworkEngine::Found& there);
  // One pass at a VPC: what there was to do when it began.
  struct ReconcilePass {
    std::string vpc_id;
    state::WorldPointer world;
    const state::Vpc* vpc = nullptr;
    bool is_used = false;   // somebody wants an interface in it
    bool is_whole = false;  // program all of it, not only what changed
    Network network;        // `wanted`: all of them when is_whole, else those of `dirty`; `present`: not filled
    std::vector<network::InterfaceSpec> wanted;
    std::map<std::string, std::string> keys;  // of the wanted, by interface id
    std::vector<std::string> unwanted;        // interface ids
  };
  std::optional<ReconcilePass> begin(const std::string& vpc_id);
  bool make(const ReconcilePass& pass);
  void remove_unwanted(const ReconcilePass& pass);
  // False: something is not as it shall be.
  bool apply(const ReconcilePass& pass, bool made);
  // All that the pass was about, after a while; instances that wait for it are told at once.
  void try_again(const ReconcilePass& pass);
  // Everything the VPC should have, in few steps; interfaces and groups that are not wanted go.
  Result<void> apply_whole(const ReconcilePass& pass, std::set<std::string>& groups_in_force);
  // Only what changed. Says for each interface and group what went wrong; an empty entry for nothing.
  std::map<std::string, std::string> apply_changes(const ReconcilePass& pass, std::set<std::string>& groups_in_force);
  void remove_groups(const ReconcilePass& pass);
  void remove_if_empty(const std::string& vpc_id);
  void wake_instance_of(const state::World& world, const std::string& interface_key);
  // The groups to put into force: those that changed, and those of the interfaces that are not in force yet.
  std::vector<network::GroupSpec> groups_for(const ReconcilePass& pass, const std::vector<network::InterfaceSpec>& interfaces,
                                             const std::set<std::string>& in_force) const;
  void settle(const std::string& vpc_id, const std::string& interface_key, const std::string& failure);

  state::Store& store_;
  Engines engines_;
  const ControllerSettings& settings_;
  const Ownership& ownership_;
  MetadataDoor door_;
  Wake wake_;
  mutable std::mutex mutex_;                     // never held across a call of another part: an engine's, or wake_
  bool recovered_ = false;                       // all that is wanted since before is known; until then nothing is touched
  std::map<std::string, Network> networks_;      // by VPC id
  std::set<std::string> ready_;                  // interface ids
  std::map<std::string, std::string> failures_;  // by interface id
};

}  // namespace brume::control
