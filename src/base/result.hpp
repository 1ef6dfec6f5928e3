// What can foreseeably go wrong below the API edge: a stable kind to match on, a sentence for the operator.
#pragma once

#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace brume {

enum class ErrorKind {
  not_found,  // the thing named is not there
  exists,     // something of that name is already there
  invalid,    // the input cannot be used
  exhausted,  // disk, memory, addresses: nothing left to give
  timed_out,  // waited as long as was allowed
  refused,    // the other side said no
  conflict,   // somebody else changed it first
  broken,     // a file, a peer or a program is not in order
  system,     // the operating system failed a call
};

struct Error {
  ErrorKind kind = ErrorKind::system;
  std::string message;  // complete sentence without final dot, names the object and what to do where that is known

  // The same error with what was being done put before it: "cannot start i-1: qemu exited".
  Error within(std::string_view action) const { return {kind, std::string(action) + ": " + message}; }
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorKind kind, std::string message) { return tl::unexpected<Error>(Error{kind, std::move(message)}); }
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

// An Error of the kind that `error_number` stands for (ENOSPC: exhausted, ENOENT: not_found …), "what: strerror".
Error system_error(std::string_view what, int error_number);
inline tl::unexpected<Error> fail_system(std::string_view what, int error_number) {
  return tl::unexpected<Error>(system_error(what, error_number));
}

}  // namespace brume
