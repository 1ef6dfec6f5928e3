#include "wire/http/server.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstring>
#include <map>
#include <thread>

#include "base/log.hpp"
#include "wire/http/connection.hpp"

namespace brume::wire {
namespace {

using ListeningSocket = net::posix::basic_stream_descriptor<Executor>;
using Workers = std::vector<std::shared_ptr<Worker>>;

constexpr int accepts_at_once = 64;  // then existing connections get their turn
constexpr milliseconds accept_pause{100};

// An IPv4 peer of an IPv6 socket ("::ffff:10.0.0.1") counts as that IPv4 peer.
Peer peer_of(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return {text, ntohs(v4.sin_port)};
  }
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
      ::inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, text, sizeof text);
    else
      ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return {text, ntohs(v6.sin6_port)};
  }
  return {};
}

std::uint16_t local_port_of(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return 0;
}

// Accepts connections on one worker's thread and distributes them to all workers in turn.
class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(std::shared_ptr<Worker> home, Workers workers, std::shared_ptr<Endpoint> endpoint, Descriptor listening)
      : home_(std::move(home)),
        workers_(std::move(workers)),
        endpoint_(std::move(endpoint)),
        listening_(home_->context().get_executor(), listening.release()) {}

  Endpoint& endpoint() { return *endpoint_; }

  void start() {
    home_->post([self = shared_from_this()] { self->wait(); });
  }
  void close() {
    endpoint_->closing = true;
    home_->post([self = shared_from_this()] {
      boost::system::error_code ignored;
      self->listening_.close(ignored);
    });
    for (const auto& worker : workers_) worker->post([self = shared_from_this(), worker] { worker->close_waiting(self->endpoint_.get()); });
  }

 private:
  void wait() {
    if (!listening_.is_open()) return;
    listening_.async_wait(ListeningSocket::wait_read, [self = shared_from_this()](const boost::system::error_code& code) {
      if (!code) self->accept();
    });
  }

  void accept() {
    for (int i = 0; i < accepts_at_once; ++i) {
      sockaddr_storage address{};
      socklen_t length = sizeof address;
      Descriptor accepted(
          ::accept4(listening_.native_handle(), reinterpret_cast<sockaddr*>(&address), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (accepted) {
        take(std::move(accepted), address);
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        // The waiting connection stays and would wake us immediately, again and again.
        log::warning("http", "cannot accept a connection: {}", std::strerror(errno));
        endpoint_->relieve();
        return home_->after(accept_pause, [self = shared_from_this()] { self->wait(); });
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        break;
      }  // anything else concerns one connection, which has gone already
    }
    wait();
  }

  void take(Descriptor accepted, const sockaddr_storage& address) {
    const auto& worker = workers_[next_++ % workers_.size()];
    boost::system::error_code code;
    Socket socket(worker->context());
    const int family = endpoint_->port == 0 ? AF_UNIX : address.ss_family;
    socket.assign(net::generic::stream_protocol(family, 0), accepted.get(), code);
    if (code) return;
    accepted.release();
    auto connection = std::make_shared<Connection>(worker, endpoint_, std::move(socket), peer_of(address));
    worker->post([connection] { connection->start(); });
  }

  std::shared_ptr<Worker> home_;
  Workers workers_;
  std::shared_ptr<Endpoint> endpoint_;
  ListeningSocket listening_;
  size_t next_ = 0;
};

HttpResponse plain_refusal(int status, std::string_view reason) {
  HttpResponse response;
  response.status = status;
  response.content_type = "text/plain";
  response.body = std::string(reason) + "\n";
  return response;
}

Result<std::unique_ptr<net::ssl::context>> load_tls(const TlsFiles& files) {
  boost::system::error_code code;
  auto context = std::make_unique<net::ssl::context>(net::ssl::context::tls_server);
  context->set_options(net::ssl::context::default_workarounds | net::ssl::context::no_tlsv1 | net::ssl::context::no_tlsv1_1, code);
  context->use_certificate_chain_file(files.certificate, code);
  if (code) return fail(ErrorKind::broken, "cannot use the certificate " + files.certificate + ": " + code.message());
  context->use_private_key_file(files.key, net::ssl::context::pem, code);
  if (code) return fail(ErrorKind::broken, "cannot use the key " + files.key + ": " + code.message());
  if (SSL_CTX_check_private_key(context->native_handle()) != 1)
    return fail(ErrorKind::broken, "the key " + files.key + " does not belong to the certificate " + files.certificate);
  // A peer must not make us repeat handshakes on one connection; idle ones hold no record buffers.
  SSL_CTX_set_options(context->native_handle(), SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  return context;
}

}  // namespace

class HttpServer::Implementation {
 public:
  explicit Implementation(unsigned threads) {
    for (unsigned i = 0; i < std::max(1U, threads); ++i) workers_.push_back(std::make_shared<Worker>(population_));
    for (const auto& worker : workers_) worker->start();
  }

  Result<Listener> serve(Descriptor listening, std::shared_ptr<Endpoint> endpoint) {
    const int flags = ::fcntl(listening.get(), F_GETFL);
    if (flags < 0 || ::fcntl(listening.get(), F_SETFL, flags | O_NONBLOCK) < 0) return fail_system("cannot serve on this socket", errno);
    if (!endpoint->refusal) endpoint->refusal = plain_refusal;
    endpoint->port = local_port_of(listening.get());
    const std::lock_guard lock(mutex_);
    if (stopping_) return fail(ErrorKind::refused, "the HTTP server has been stopped");
    const Listener listener{++last_id_, endpoint->port};
    // Listeners run on different threads: accepting many connections on one does not delay another.
    const auto& home = workers_[listener.id % workers_.size()];
    std::shared_ptr<Acceptor> acceptor;
    try {
      acceptor = std::make_shared<Acceptor>(home, workers_, std::move(endpoint), std::move(listening));
    } catch (const boost::system::system_error& error) {
      return fail(ErrorKind::system, std::string("cannot serve on this socket: ") + error.what());
    }
    acceptors_.emplace(listener.id, acceptor);
    acceptor->start();
    return listener;
  }

  void close(std::uint64_t listener) {
    const std::lock_guard lock(mutex_);
    const auto found = acceptors_.find(listener);
    if (found == acceptors_.end()) return;
    found->second->close();
    acceptors_.erase(found);
  }

  void after(milliseconds delay, std::function<void()> work) {
    workers_[next_timer_.fetch_add(1, std::memory_order_relaxed) % workers_.size()]->after(delay, std::move(work));
  }

  void stop(milliseconds grace) {
    // A second caller waits for the first.
    const std::lock_guard one(stop_mutex_);
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      stopping_ = true;
      for (const auto& [id, acceptor] : acceptors_) acceptor->close();
      acceptors_.clear();
    }
    for (const auto& worker : workers_) worker->post([worker] { worker->close_waiting(nullptr); });
    population_.wait_until_empty(grace);
    for (const auto& worker : workers_) worker->end();
  }

 private:
  Population population_;
  Workers workers_;
  std::mutex mutex_;  // acceptors_, last_id_, stopping_; never held while waiting
  std::map<std::uint64_t, std::shared_ptr<Acceptor>> acceptors_;
  std::uint64_t last_id_ = 0;
  bool stopping_ = false;
  std::mutex stop_mutex_;
  std::atomic<size_t> next_timer_ = 0;
};

HttpServer::HttpServer(unsigned threads) : implementation_(std::make_unique<Implementation>(threads)) {}
HttpServer::~HttpServer() { stop(); }

Result<HttpServer::Listener> HttpServer::serve(Descriptor listening, HttpHandler handler, HttpRefusal refusal, HttpLimits limits,
                                               HttpIsStreamed is_streamed) {
  auto endpoint = std::make_shared<Endpoint>();
  endpoint->handler = std::move(handler);
  endpoint->refusal = std::move(refusal);
  endpoint->limits = limits;
  endpoint->is_streamed = std::move(is_streamed);
  return implementation_->serve(std::move(listening), std::move(endpoint));
}

Result<HttpServer::Listener> HttpServer::serve_encrypted(Descriptor listening, const TlsFiles& files, HttpHandler handler,
                                                         HttpRefusal refusal, HttpLimits limits, HttpIsStreamed is_streamed) {
  auto tls = load_tls(files);
  if (!tls) return fail(tls.error());
  auto endpoint = std::make_shared<Endpoint>();
  endpoint->handler = std::move(handler);
  endpoint->refusal = std::move(refusal);
  endpoint->limits = limits;
  endpoint->is_streamed = std::move(is_streamed);
  endpoint->tls = std::move(*tls);
  return implementation_->serve(std::move(listening), std::move(endpoint));
}

void HttpServer::close(std::uint64_t listener) { implementation_->close(listener); }
void HttpServer::after(milliseconds delay, std::function<void()> work) { implementation_->after(delay, std::move(work)); }
void HttpServer::stop(milliseconds grace) { implementation_->stop(grace); }

std::uint16_t port_of(const Descriptor& listening) { return local_port_of(listening.get()); }

}  // namespace brume::wire
