// Who may ask, and what the installation itself remembers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "state/records/kind.hpp"

namespace brume::state {

struct Account {
  static constexpr Kind kind = Kind::account;
  std::string id;  // 12 digits
  std::string name;
  Time created{};
  bool enabled = true;
  std::int64_t instance_limit = -1;   // pending or running; 0: none; -1: what the installation says
  std::string platform = "vpc";       // or "classic": what names no subnet goes to EC2-Classic
  std::string zone_letters;           // the account's letter of each zone, by zone id: "bca"; zones beyond it have their own letter
  std::vector<std::string> products;  // product codes that it has signed up for (INS-067)
  std::string key() const { return id; }
  template <class V>
  void fields(V& v) {
    v("id", id);
    v("name", name);
    v("created", created);
    v("enabled", enabled);
    v("instanceLimit", instance_limit);
    v("zoneLetters", zone_letters);
    v("platform", platform);
    v("products", products);
  }
};

struct AccessKey {
  static constexpr Kind kind = Kind::access_key;
  std::string id;  // "AKIA…", 20 characters
  std::string account;
  std::string secret;  // recoverable: a signature is an HMAC over it (NET-005)
  Time created{};
  bool active = true;
  std::string key() const { return id; }
  template <class V>
  void fields(V& v) {
    v("id", id);
    v("account", account);
    v("secret", secret);
    v("created", created);
    v("active", active);
  }
};

// A value of the installation itself: "public-pool", "first-account", "schema".
struct Setting {
  static constexpr Kind kind = Kind::setting;
  std::string name;
  std::string value;
  std::string key() const { return name; }
  template <class V>
  void fields(V& v) {
    v("name", name);
    v("value", value);
  }
};

}  // namespace brume::state
