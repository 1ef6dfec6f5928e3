// What can foreseeably go wrong below the edge of the API: a stable kind to match on, and a sentence for the operator.
#pragma once

#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace brume {

enum class ErrorKind {
  not_found,  // the thing named does not exist
  exists,     // something of that name already exists
  invalid,    // the input cannot be used
  exhausted,  // disk, memory, addresses: nothing left to give out
  timed_out,  // waited as long as allowed
  refused,    // the other side refused
  conflict,   // somebody else changed it first
  broken,     // a file, a peer or a program is corrupt or misbehaves
  system,     // a system call failed
};

struct Error {
  ErrorKind kind = ErrorKind::system;
  std::string message;  // complete sentence without full stop; names the object, and what to do about it if that is known

  // The same error, preceded by what was being done: "cannot start i-1: qemu exited".
  Error within(std::string_view action) const { return {kind, std::string(action) + ": " + message}; }
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorKind kind, std::string message) { return tl::unexpected<Error>(Error{kind, std::move(message)}); }
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

// An Error of the kind that `error_number` corresponds to (ENOSPC: exhausted, ENOENT: not_found …), "what: strerror".
Error system_error(std::string_view what, int error_number);
inline tl::unexpected<Error> fail_system(std::string_view what, int error_number) {
  return tl::unexpected<Error>(system_error(what, error_number));
}

}  // namespace brume
