// Requests that were carried out.
#pragma once

#include <string>

#include "base/time.hpp"
#include "state/records/kind.hpp"

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

}  // namespace brume::state
