// What each protocol's services call the same trouble: a request is refused in the words that its client knows.
// Codes and statuses are those of Amazon's services; one table in refusals.cpp holds them all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "wire/api_error.hpp"
#include "wire/schema.hpp"

namespace brume::wire {

enum class Trouble : std::uint8_t {
  unsigned_request,      // nothing says who sent it
  incomplete_signature,  // something of the signature is missing or malformed
  unknown_key,           // no such access key, or it is disabled
  wrong_signature,       // it does not match
  outside_window,        // it is too old, or not yet valid
  expired_link,          // a presigned request after its time
  out_of_scope,          // it is for another service or region
  unknown_token,         // a session token that nobody issued
  throttled,             // too many requests
  service_not_built,     // the service is not served here
  malformed_body,        // the body cannot be read
};

// `sentence`: what happened. EC2 answers some troubles with a fixed sentence, so that nobody learns which part was wrong; an empty
// sentence stands for the protocol's usual one.
ApiError refusal(schema::Protocol protocol, Trouble trouble, std::string sentence = {});

}  // namespace brume::wire
