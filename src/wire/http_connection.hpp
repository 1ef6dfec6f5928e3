// One accepted connection: reads a request, hands it over, writes the answer, and again. Exactly one operation is under
// way on a connection at any time, and all of it on its worker's thread.
#pragma once

#include <array>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "wire/http_parser.hpp"
#include "wire/http_worker.hpp"

namespace brume::wire {

// What all connections of a listener share. Threads: any.
class Endpoint {
 public:
  HttpHandler handler;
  HttpRefusal refusal;
  HttpLimits limits;
  std::unique_ptr<net::ssl::context> tls;  // null: plain
  std::uint16_t port = 0;
  std::atomic<bool> closing = false;

  // Makes room for one more and counts it in. Over a limit the connection that has been idle longest is given up (of the same peer, when
  // it is the peer's limit); false when all are at work.
  bool admit(Connection& connection);
  void dismiss(Connection& connection);

  // Connections over the limit are only told so; how many of these at once is bounded as well.
  bool admit_refused() { return refused_.fetch_add(1) < 64 || (refused_.fetch_sub(1), false); }
  void dismiss_refused() { --refused_; }

 private:
  bool give_up_oldest(const std::string* of_peer);  // mutex_ held
  void forget(Connection& connection);              // mutex_ held

  std::mutex mutex_;
  std::unordered_set<Connection*> connections_;
  std::unordered_map<std::string, size_t> of_peers_;  // how many of them; only with a limit for a peer
  std::atomic<int> refused_ = 0;
};

struct Peer {
  std::string address;
  std::uint16_t port = 0;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Worker> worker, std::shared_ptr<Endpoint> endpoint, Socket socket, Peer peer);
  ~Connection();

  void start();
  // The answer to the request that is being handled. Threads: any.
  void deliver(HttpResponse response);
  void deliver_failure();

  // Of the worker's thread.
  const Endpoint& endpoint() const { return *endpoint_; }
  const std::string& peer_address() const { return peer_.address; }  // threads: any
  SteadyTime deadline() const { return deadline_; }
  void on_deadline();
  bool waits_for_request() const { return stage_ != Stage::handling && stage_ != Stage::writing; }
  void close();

  // Closes soon. Threads: any.
  void give_up();
  // Time since when nothing is under way; claim_idle wins it for giving the connection up. Threads: any.
  std::int64_t idle_since() const { return idle_since_.load(std::memory_order_relaxed); }
  bool claim_idle(std::int64_t since) { return idle_since_.compare_exchange_strong(since, given_up); }

  size_t index = 0;  // in the worker's list

 private:
  enum class Stage { handshake, idle, reading, handling, writing, lingering, closed };
  static constexpr std::int64_t busy = 0;
  static constexpr std::int64_t given_up = -1;

  void open();
  void open_encrypted();
  void process();
  bool process_step();
  void read();
  void on_read(const boost::system::error_code& code, size_t count);
  void handle();
  void refuse(int status, std::string_view reason);
  void answer(HttpResponse response);
  void compose(HttpResponse&& response);
  void write();
  bool write_at_once();
  void write_more();
  void on_write(const boost::system::error_code& code, size_t count);
  void written();
  void end_gracefully();
  void linger();
  void discard();
  void become_idle();
  void set_deadline(milliseconds from_now);
  void limit_hops(int limit);
  void make_room();

  std::shared_ptr<Worker> worker_;  // before the socket: a socket must not outlive its event loop
  std::shared_ptr<Endpoint> endpoint_;
  Socket socket_;
  std::optional<net::ssl::stream<Socket&>> tls_;
  Peer peer_;
  HttpParser parser_;
  Stage stage_ = Stage::handshake;
  bool admitted_ = false;    // counted by the endpoint as a connection
  bool over_limit_ = false;  // counted by the endpoint as one that only hears 503
  SteadyTime deadline_ = SteadyTime::max();
  std::atomic<std::int64_t> idle_since_ = busy;

  std::vector<char> buffer_;
  size_t begin_ = 0;  // bytes [begin_, end_) are read and not parsed
  size_t end_ = 0;
  std::string head_;  // of the answer, with a small body behind it
  std::string body_;
  std::array<net::const_buffer, 2> unsent_;

  bool processing_ = false;  // process() is on the stack: answers return to it instead of calling it
  bool timed_out_ = false;   // the request took too long; the read was cancelled to say so
  bool keep_alive_ = false;
  bool version_1_0_ = false;
  bool is_head_ = false;
  bool is_refusal_ = false;
  bool is_continue_ = false;  // what is being written is "100 Continue"
  bool continued_ = false;    // and it has been for this request
  size_t discarded_ = 0;
  int hop_limit_ = 0;
};

}  // namespace brume::wire
