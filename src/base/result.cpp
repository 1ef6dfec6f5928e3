#include "base/result.hpp"

#include <cerrno>
#include <system_error>

namespace brume {

Error system_error(std::string_view what, int error_number) {
  ErrorKind kind = ErrorKind::system;
  switch (error_number) {
    case ENOENT: kind = ErrorKind::not_found; break;
    case EEXIST: kind = ErrorKind::exists; break;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE: kind = ErrorKind::exhausted; break;
    case ETIMEDOUT: kind = ErrorKind::timed_out; break;
    case ECONNREFUSED:
    case EPERM:
    case EACCES: kind = ErrorKind::refused; break;
    default: break;
  }
  return {kind, std::string(what) + ": " + std::generic_category().message(error_number)};
}

}  // namespace brume
