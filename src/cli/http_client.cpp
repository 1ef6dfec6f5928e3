#include "cli/http_client.hpp"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "base/descriptor.hpp"

namespace brume::cli {
namespace {

constexpr size_t answer_limit = 64 << 20;

class Deadline {
 public:
  explicit Deadline(milliseconds limit) : end_(std::chrono::steady_clock::now() + limit) {}
  // Waits until the descriptor is ready. False: the time is over.
  bool wait(int descriptor, short events) const {
    const auto left = std::chrono::duration_cast<milliseconds>(end_ - std::chrono::steady_clock::now()).count();
    pollfd wait_for{descriptor, events, 0};
    return left > 0 && ::poll(&wait_for, 1, static_cast<int>(left)) > 0;
  }

 private:
  std::chrono::steady_clock::time_point end_;
};

Result<Descriptor> connect_to(const sockaddr* address, socklen_t size, const std::string& name, const Deadline& deadline) {
  Descriptor socket(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_system("cannot make a socket", errno);
  if (::connect(socket.get(), address, size) == 0) return socket;
  if (errno != EINPROGRESS && errno != EAGAIN) return fail_system("cannot connect to " + name, errno);
  if (!deadline.wait(socket.get(), POLLOUT)) return fail(ErrorKind::timed_out, name + " does not answer");
  int failure = 0;
  socklen_t length = sizeof failure;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &failure, &length);
  if (failure != 0) return fail_system("cannot connect to " + name, failure);
  return socket;
}

Result<Descriptor> connect_tcp(const std::string& host, std::uint16_t port, const Deadline& deadline) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0 || found == nullptr)
    return fail(ErrorKind::not_found, "there is no host " + host);
  auto socket = connect_to(found->ai_addr, found->ai_addrlen, host + ":" + std::to_string(port), deadline);
  ::freeaddrinfo(found);
  return socket;
}

// One transfer of libcurl; it owns the handle and what the handle points to.
class Transfer {
 public:
  Transfer() : handle_(::curl_easy_init()) {}
  ~Transfer() {
    ::curl_slist_free_all(headers_);
    ::curl_easy_cleanup(handle_);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  template <class Value>
  void set(CURLoption option, Value value) {
    ::curl_easy_setopt(handle_, option, value);
  }
  void add_header(const std::string& line) { headers_ = ::curl_slist_append(headers_, line.c_str()); }

  Result<HttpAnswer> perform(const std::string& url, const HttpCall& call) {
    HttpAnswer answer;
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    // The cloud is on this host or named by its operator, so a proxy from the environment must not be used.
    set(CURLOPT_NOPROXY, "*");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(call.limit.count()));
    set(CURLOPT_CUSTOMREQUEST, call.method.c_str());
    if (!call.body.empty() || call.method == "POST") {
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
      set(CURLOPT_POSTFIELDS, call.body.c_str());
    }
    add_header("Expect:");
    for (const auto& [name, value] : call.headers) add_header(name + ": " + value);
    set(CURLOPT_HTTPHEADER, headers_);
    set(CURLOPT_WRITEFUNCTION, &Transfer::take);
    set(CURLOPT_WRITEDATA, &answer.body);
    const auto code = ::curl_easy_perform(handle_);
    if (code != CURLE_OK) return fail(kind_of(code), url + ": " + ::curl_easy_strerror(code));
    long status = 0;
    ::curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
    answer.status = static_cast<int>(status);
    return answer;
  }

 private:
  static size_t take(const char* data, size_t size, size_t count, void* target) {
    auto& body = *static_cast<std::string*>(target);
    if (body.size() + size * count > answer_limit) return 0;
    body.append(data, size * count);
    return size * count;
  }
  static ErrorKind kind_of(CURLcode code) {
    switch (code) {
      case CURLE_COULDNT_RESOLVE_HOST: return ErrorKind::not_found;
      case CURLE_COULDNT_CONNECT: return ErrorKind::refused;
      case CURLE_OPERATION_TIMEDOUT: return ErrorKind::timed_out;
      default: return ErrorKind::broken;
    }
  }

  CURL* handle_;
  curl_slist* headers_ = nullptr;
};

}  // namespace

Result<HttpAnswer> call_unix(const std::string& socket_path, const HttpCall& call) {
  Transfer transfer;
  transfer.set(CURLOPT_UNIX_SOCKET_PATH, socket_path.c_str());
  return transfer.perform("http://localhost" + call.path, call);
}

Result<HttpAnswer> call_endpoint(const std::string& endpoint, const std::string& authorities, const HttpCall& call) {
  Transfer transfer;
  if (!authorities.empty()) transfer.set(CURLOPT_CAINFO, authorities.c_str());
  return transfer.perform(endpoint + call.path, call);
}

Result<std::string> read_banner(const std::string& address, std::uint16_t port, milliseconds limit) {
  const Deadline deadline(limit);
  auto socket = connect_tcp(address, port, deadline);
  if (!socket) return fail(socket.error());
  std::string line;
  char c = 0;
  while (line.size() < 256) {
    const auto got = ::recv(socket->get(), &c, 1, 0);
    if (got == 1 && c == '\n') return line;
    if (got == 1)
      line += c;
    else if (got == 0)
      return fail(ErrorKind::refused, "the connection was closed");
    else if (errno != EAGAIN && errno != EINTR)
      return fail_system("cannot read", errno);
    else if (!deadline.wait(socket->get(), POLLIN))
      return fail(ErrorKind::timed_out, "nothing came");
  }
  return line;
}

}  // namespace brume::cli
