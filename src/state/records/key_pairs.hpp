// Key pairs: public keys by name, as an account keeps them.
#pragma once

#include <string>

#include "base/time.hpp"
#include "state/records/kind.hpp"

namespace brume::state {

struct KeyPair {
  static constexpr Kind kind = Kind::key_pair;
  std::string account;
  std::string id;  // "key-…"
  std::string name;
  std::string type;         // "rsa", "ed25519"
  std::string fingerprint;  // as EC2 forms it for this kind and origin
  std::string public_key;   // OpenSSH line without comment
  Time created{};
  std::string key() const { return owned_key(account, name); }
  template <class V>
  void fields(V& v) {
    v("account", account);
    v("id", id);
    v("name", name);
    v("type", type);
    v("fingerprint", fingerprint);
    v("publicKey", public_key);
    v("created", created);
  }
};

}  // namespace brume::state
