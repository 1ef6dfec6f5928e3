// One request, one answer, over HTTP, HTTPS or the operator's unix socket. Blocking, bounded in time and size; enough for a command.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace brume::cli {

struct HttpAnswer {
  int status = 0;
  std::string body;
};

struct HttpCall {
  std::string method = "GET";
  std::string path = "/";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  milliseconds limit = seconds(30);
};

// `not_found` or `refused`: nobody listens there.
Result<HttpAnswer> call_unix(const std::string& socket_path, const HttpCall& call);
// `endpoint`: "http://127.0.0.1:8773". `authorities` names a file of the certificates to trust with https; empty: the system's.
Result<HttpAnswer> call_endpoint(const std::string& endpoint, const std::string& authorities, const HttpCall& call);

// Connects and waits at most `limit` for the peer's first line: an SSH server introduces itself without being asked.
Result<std::string> read_banner(const std::string& address, std::uint16_t port, milliseconds limit);

}  // namespace brume::cli
