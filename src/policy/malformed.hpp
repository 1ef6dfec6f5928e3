// How the readers of a document end when it is not one. Thrown and caught inside of this folder only: parse_policy makes a Result of it.
#pragma once

#include <string>

#include "base/result.hpp"

namespace brume::policy {

struct Malformed {
  std::string sentence;  // in AWS's words, as MalformedPolicyDocument has it
  ErrorKind kind = ErrorKind::invalid;
};

}  // namespace brume::policy
