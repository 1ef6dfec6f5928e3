// One accepted connection: reads a request, hands it over, writes the answer, and again. Exactly one operation is under
// way on a connection at any time, and all of it on its worker's thread.
#pragma once

#include <array>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "wire/http/parser.hpp"
#include "wire/http/worker.hpp"

namespace brume::wire {

// The connections of one address. Guarded by the endpoint's mutex.
struct PeerCounts {
  size_t connections = 0;
  // Counted anew whenever somebody has to give way.
  size_t silent = 0;  // no complete request has come
  size_t unread = 0;  // the peer does not take its answer
};

// What all connections of a listener share. Threads: any.
class Endpoint {
 public:
  HttpHandler handler;
  HttpRefusal refusal;
  HttpLimits limits;
  std::unique_ptr<net::ssl::context> tls;  // null: plain
  std::uint16_t port = 0;
  std::atomic<bool> closing = false;

  // Makes room for one more and counts it in. Over a limit a connection that waits for its peer is given up (of the same peer, when it is
  // the peer's limit); false when the server is at work for all of them.
  bool admit(Connection& connection);
  void dismiss(Connection& connection);
  // The process has no descriptor left: gives up some connections that wait for their peers.
  void relieve();

  // Connections over the limit are only told so; how many of these at once is bounded as well.
  bool admit_refused() { return refused_.fetch_add(1) < 64 || (refused_.fetch_sub(1), false); }
  void dismiss_refused() { --refused_; }

 private:
  // All with mutex_ held.
  bool make_room(const PeerCounts& peer);
  bool give_up_one(const PeerCounts* of_peer);
  void forget(Connection& connection);

  std::mutex mutex_;
  std::unordered_set<Connection*> connections_;
  std::unordered_map<std::string, PeerCounts> peers_;  // by address; connections point to their entry
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
  // Whether the server is at work for the connection, or waits for its peer: above 0 for a complete request, since that time; below 0
  // (but for given_up) for the answer to be taken. claim wins a waiting connection for giving it up. Threads: any.
  static constexpr std::int64_t at_work = 0;
  static constexpr std::int64_t given_up = std::numeric_limits<std::int64_t>::min();
  std::int64_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  bool claim(std::int64_t waiting) { return waiting_.compare_exchange_strong(waiting, given_up); }

  size_t index = 0;              // in the worker's list
  PeerCounts* counts = nullptr;  // the endpoint's, while it counts this connection

 private:
  enum class Stage { handshake, idle, reading, handling, writing, lingering, closed };
  enum class For { request, reader };

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
  // False: the connection has been given up, which closes it.
  bool wait_for(For what);
  bool stop_waiting() { return waiting_.exchange(at_work) != given_up; }
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
  std::atomic<std::int64_t> waiting_;

  std::vector<char> buffer_;
  size_t begin_ = 0;  // bytes [begin_, end_) are read and not parsed
  size_t end_ = 0;
  std::string head_;  // of the answer, with a small body behind it
  std::string body_;
  std::shared_ptr<void> until_taken_;  // of the answer
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
