// Plugs network interfaces into running machines and unplugs them (OPS-044): what is "attaching" becomes "attached", what is "detaching" is
// removed. Runs under the instance's key in the queue, so that one machine never gets two requests at once.
#pragma once

#include <functional>
#include <string>

#include "control/controller.hpp"
#include "control/vpcs.hpp"

namespace brume::control {

// The instance's machine is down: the addresses given at its start return to the pool. Elastic IPs stay, except the guide's kind (NET-037).
// In EC2-Classic the private addresses are returned too.
void drop_addresses(state::Transaction& transaction, const state::Instance& instance);
// The instance is terminated: its interface is deleted with it, or stays the account's (OPS-062). Elastic IPs stay the account's.
void release_interface(state::Transaction& transaction, const std::string& key);

// Threads: follow may be called from any thread; reconcile for one instance from one thread at a time.
class InterfaceReconciler {
 public:
  using Wake = std::function<void(const std::string& key, milliseconds delay)>;
  InterfaceReconciler(state::Store& store, Engines engines, const VpcReconciler& vpcs, Wake wake);

  void follow(const state::Commit& commit);
  // Reconciles the interfaces of the instance "account/i-…".
  void reconcile(const std::string& instance_key);

 private:
  void plug(const state::Instance& instance, const state::NetworkInterface& interface);
  void unplug(const state::Instance& instance, const state::NetworkInterface& interface);
  void settle_attached(const state::NetworkInterface& interface);
  void settle_detached(const state::NetworkInterface& interface);

  state::Store& store_;
  Engines engines_;
  const VpcReconciler& vpcs_;
  Wake wake_;
};

}  // namespace brume::control
