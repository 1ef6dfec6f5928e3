// HTTP/1.1 for everything Brume serves: the API, the metadata service inside each VPC, the operator's socket.
// Only parser.cpp knows Boost.Beast; connections, workers and the server know Asio. This header is std only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/descriptor.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "wire/http/streams.hpp"

namespace brume::wire {

struct HttpRequest {
  std::string method;
  std::string target;                                        // as sent: path, '?' and query
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case, in the order sent
  std::string body;
  // The body, if it is streamed (HttpIsStreamed); `body` is then empty. Null: the whole body is in `body`. "100 Continue" is sent with the
  // first read. If the request is answered before everything has been read, the rest is discarded and the connection is closed.
  std::shared_ptr<BodySource> source = {};
  std::string peer_address;  // "172.31.0.5"; empty on a unix socket
  std::uint16_t peer_port = 0;
  std::uint16_t local_port = 0;
  bool encrypted = false;

  std::string_view path() const;   // of the target, undecoded
  std::string_view query() const;  // of the target, without '?', undecoded
  // First header with that lower-case name; empty if absent.
  std::string_view header(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/xml;charset=UTF-8";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  // How many hops the answer's packets may travel, the peer itself included, as IP counts them; 0: the usual number. Holds for the rest of
  // the connection, or lost packets would be sent again with more.
  int hop_limit = 0;
  // Kept until the peer has read the answer or the connection has ended: its destructor serves to count unread answers.
  std::shared_ptr<void> until_taken = {};
  // Replaces `body` if the body is not a string.
  std::shared_ptr<StreamedAnswer> streamed = {};
};

// Answers one request. Must be called exactly once, from any thread, at any time; later calls, and calls after the peer or the server is
// gone, do nothing. If the last copy is destroyed without a call, the peer gets 500.
using Responder = std::function<void(HttpResponse)>;
// Called on a server thread and must not wait for anything: work that waits goes to a worker and calls the responder from there.
using HttpHandler = std::function<void(HttpRequest&&, Responder)>;
// Called on a server thread when the head has arrived and a body follows: whether the handler reads the body piece by piece. Null: never;
// bodies are complete and limited in size.
using HttpIsStreamed = std::function<bool(const HttpRequest& head)>;
// The answer to a request that never reaches the handler (too large, malformed, timed out): 400, 408, 413, 431, 503 and a reason.
using HttpRefusal = std::function<HttpResponse(int status, std::string_view reason)>;

struct HttpLimits {
  size_t header_bytes = 16 << 10;
  size_t body_bytes = 1 << 20;  // EC2 accepts no larger request; beyond it 413, and the rest is not read
  // Of one listener. Beyond it a connection that waits for its peer (an incomplete request, an unread answer) is closed: the one that has
  // waited longest, of the address that has most of them. If there is none, the new connection gets 503.
  size_t connections = 1024;
  size_t connections_of_peer = 0;           // the same, for those of one address; 0: only the limit above
  milliseconds idle = seconds(60);          // keep-alive without a request
  milliseconds request_time = seconds(20);  // from the first byte of a request to its last
  milliseconds write_time = seconds(60);    // for the peer to take an answer
  // Streamed bodies have no total limit. Each wait for the peer may last as long as above (request_time, write_time). All waits of one body
  // together may last as long, plus one second for this many bytes: a peer may be slow, but not endlessly. 0: only each single wait is
  // limited.
  size_t bytes_a_second = 1 << 10;
};

struct TlsFiles {
  std::string certificate;  // PEM
  std::string key;          // PEM
};

// Threads: all functions may be called from any thread.
class HttpServer {
 public:
  explicit HttpServer(unsigned threads);
  ~HttpServer();  // stop()
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  struct Listener {
    std::uint64_t id = 0;
    std::uint16_t port = 0;  // the chosen one if 0 was requested; 0 for a unix socket
  };

  // Serves on an already bound and listening socket (made in any network namespace).
  Result<Listener> serve(Descriptor listening, HttpHandler handler, HttpRefusal refusal, HttpLimits limits = {},
                         HttpIsStreamed is_streamed = {});
  // The same with TLS; `broken` if the files cannot be used.
  Result<Listener> serve_encrypted(Descriptor listening, const TlsFiles& files, HttpHandler handler, HttpRefusal refusal,
                                   HttpLimits limits = {}, HttpIsStreamed is_streamed = {});
  // Closes the listener and its idle connections; running requests may still be answered.
  void close(std::uint64_t listener);

  // Runs `work` on a server thread after `delay`; for timers of the layers above. Dropped by stop().
  void after(milliseconds delay, std::function<void()> work);

  // Stops accepting, gives running requests up to `grace` to be answered, ends the threads. Idempotent. Waits for the server's threads, so
  // never call it from a handler or from work of after().
  void stop(milliseconds grace = seconds(2));

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

// A listening TCP socket on `address`:`port` (0: any free). `exists` if the port is in use.
Result<Descriptor> listen_tcp(const std::string& address, std::uint16_t port);
// The port of a listening socket; 0 for a unix socket.
std::uint16_t port_of(const Descriptor& listening);
// A listening unix socket with this mode; a stale file of an ended process is replaced, one in use is `exists`.
Result<Descriptor> listen_unix(const std::string& path, unsigned mode = 0600);

// Makes a self-signed certificate for these names (DNS names or addresses) with an EC key, valid ten years; key file 0600.
Result<void> make_certificate(const TlsFiles& files, const std::vector<std::string>& names, Time now);

}  // namespace brume::wire
