// Finds the administrator's password that a Windows guest posts on its serial console (INS-086), sealed for its key pair:
// <Password>BASE64</Password>, in any case, perhaps over several lines.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace brume::compute {

// Is given a console piece by piece, in order.
class PasswordWatch {
 public:
  // The password that ended in this piece, without white space; if there are several, the last.
  std::optional<std::string> feed(std::string_view piece);

 private:
  std::string kept_;  // the end of the input so far, from a tag that may continue
};

}  // namespace brume::compute
