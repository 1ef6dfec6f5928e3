// An access key as the operator's commands use it.
#pragma once

#include <string>

namespace brume::cli {

struct Credentials {
  std::string account;
  std::string access_key_id;
  std::string secret;
};

}  // namespace brume::cli
