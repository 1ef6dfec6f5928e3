// How many requests an account may send, and how many instances it may name in them (INS-047): token buckets by account and group of
// actions, as EC2 has them. Off unless the operator asks.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.hpp"
#include "wire/query_tree.hpp"
#include "wire/schema.hpp"

namespace brume::service {

class Throttle {
 public:
  // `factor`: 1 for EC2's rates, 2 for twice as many requests; more than 0.
  Throttle(const Clock& clock, double factor) : clock_(clock), factor_(factor) {}

  // Takes a token of the account's bucket for this action, and of those actions that have a bucket of instances too as many as the request
  // names or asks for. Throws the protocol's error when there are not enough in both: RequestLimitExceeded (503) of EC2, which clients
  // answer by waiting and sending the same request, with the same client token, again. Nothing was taken or done then. Threads: may be
  // called from any thread.
  void admit(const std::string& account, wire::schema::Protocol protocol, std::string_view action, std::int64_t instances = 1);

 private:
  struct Bucket {
    double tokens = 0;
    Time filled{};
  };
  struct Size {
    double most;
    double a_second;
  };
  // As it is now. Call with mutex_ held.
  Bucket& fill(const std::string& account, std::string_view group, Size size);

  const Clock& clock_;
  double factor_;
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string_view>, Bucket> buckets_;  // by account and group
};

// How many instances a request of EC2 names (InstanceId.N) or asks for (MaxCount); at least 1.
std::int64_t instances_asked(const wire::QueryTree& parameters);

}  // namespace brume::service
