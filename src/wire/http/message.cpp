// What can be read from a request without a socket.
#include "wire/http/http_date.hpp"
#include "wire/http/server.hpp"

namespace brume::wire {
namespace {

// The target in origin form: "http://host:80/a?b" (sent to proxies, and allowed for any server) becomes "/a?b".
std::string_view origin_form(std::string_view target) {
  if (target.empty() || target.front() == '/') return target;
  const auto scheme = target.find("://");
  if (scheme == std::string_view::npos || target.find_first_of("/?") < scheme) return target;
  const auto path = target.find_first_of("/?", scheme + 3);
  return path == std::string_view::npos ? std::string_view("/") : target.substr(path);
}

}  // namespace

std::string http_date(std::time_t second) {
  std::tm parts{};
  ::gmtime_r(&second, &parts);
  char text[64];
  // The C locale's names whatever the daemon's locale: nothing here calls setlocale.
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

std::string_view HttpRequest::path() const {
  const auto whole = origin_form(target);
  const auto end = whole.find('?');
  if (end == 0) return "/";
  return whole.substr(0, end);
}

std::string_view HttpRequest::query() const {
  const auto whole = origin_form(target);
  const auto start = whole.find('?');
  return start == std::string_view::npos ? std::string_view() : whole.substr(start + 1);
}

std::string_view HttpRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

}  // namespace brume::wire
