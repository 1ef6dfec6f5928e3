// Finds the administrator's password that a Windows guest posts on its serial console (INS-086), sealed for its key pair:
// <Password>BASE64</Password>, in capitals or not, perhaps over several lines.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace brume::compute {

// Fed with a console piece by piece, in its order.
class PasswordWatch {
 public:
  // The password that ended in this piece, without white space; of several the last.
  std::optional<std::string> feed(std::string_view piece);

 private:
  std::string kept_;  // the last of what was fed, from a tag that may be going on
};

}  // namespace brume::compute
