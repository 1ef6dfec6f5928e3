// How many requests an account may send (INS-047): token buckets by account and group of actions, as EC2 has them. Off unless the operator
// asks.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.hpp"
#include "wire/schema.hpp"

namespace brume::service {

class Throttle {
 public:
  // `factor`: 1 for EC2's rates, 2 for twice as many requests; more than 0.
  Throttle(const Clock& clock, double factor) : clock_(clock), factor_(factor) {}

  // Takes a token of the account's bucket for this action. Throws the protocol's error when there is none: RequestLimitExceeded (503) of
  // EC2, which clients answer by waiting and sending the same request, with the same client token, again. Nothing was done then. Threads:
  // may be called from any thread.
  void admit(const std::string& account, wire::schema::Protocol protocol, std::string_view action);

 private:
  struct Bucket {
    double tokens = 0;
    Time filled{};
  };

  const Clock& clock_;
  double factor_;
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string_view>, Bucket> buckets_;  // by account and group
};

}  // namespace brume::service
