// The daemon's operator socket, as values.
#pragma once

#include <boost/json/fwd.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "cli/credentials.hpp"

namespace brume::cli {

class AdminClient {
 public:
  explicit AdminClient(std::string home) : home_(std::move(home)) {}

  // `not_found`, `refused`: no daemon runs on this home.
  Result<boost::json::value> get(const std::string& path) const { return call("GET", path, {}); }
  Result<boost::json::value> post(const std::string& path, const boost::json::value& body) const;
  Result<boost::json::value> remove(const std::string& path) const { return call("DELETE", path, {}); }

  bool daemon_runs() const;
  // The account's first active key; the first account's if `account` is empty.
  Result<Credentials> credentials(std::string account) const;
  const std::string& home() const { return home_; }

 private:
  Result<boost::json::value> call(const std::string& method, const std::string& path, std::string body) const;

  std::string home_;
};

// This member's text in what the socket answered; empty if it has none.
std::string text(const boost::json::value& object, std::string_view name);

}  // namespace brume::cli
