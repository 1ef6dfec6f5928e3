// Requests that were carried out, or are being carried out.
#pragma once

#include <string>
#include <vector>

#include "base/time.hpp"
#include "state/records/kind.hpp"
#include "state/records/states.hpp"

namespace brume::state {

// A request that was carried out in the last 24 hours: the same token with the same parameters gets the same resources.
struct ClientToken {
  static constexpr Kind kind = Kind::client_token;
  std::string account;
  std::string token;       // "RunInstances:token"
  std::string parameters;  // digest of the request
  std::string resource_id;
  Time created{};
  std::string key() const { return owned_key(account, token); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("token", token);
    v("parameters", parameters);
    v("resourceId", resource_id);
    v("created", created);
  }
};

// A call for many instances whose first part is durable: what is still to be done. See domain/instance_changes.hpp.
struct InstanceChange {
  static constexpr Kind kind = Kind::instance_change;
  std::string account;
  std::string id;  // "change-…"
  InstanceVerb verb = InstanceVerb::terminate;
  Time asked{};
  std::vector<std::string> instance_ids;  // that are left
  std::string key() const { return owned_key(account, id); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("verb", verb);
    v("asked", asked);
    v("instanceIds", instance_ids);
  }
};

}  // namespace brume::state
