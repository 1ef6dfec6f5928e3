// What all connections of a listener share, and which of them is closed if there are too many.
#pragma once

#include <atomic>
#include <boost/asio/ssl/context.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "wire/http/server.hpp"

namespace brume::wire {

namespace net = boost::asio;
class Connection;

// The connections of one address. Guarded by the endpoint's mutex.
struct PeerCounts {
  size_t connections = 0;
  // Counted anew whenever a connection has to be closed to make room.
  size_t silent = 0;  // no complete request has arrived
  size_t unread = 0;  // the peer does not read its answer
};

// What all connections of a listener share. Threads: any.
class Endpoint {
 public:
  HttpHandler handler;
  HttpRefusal refusal;
  HttpIsStreamed is_streamed;
  HttpLimits limits;
  std::unique_ptr<net::ssl::context> tls;  // null: plain
  std::uint16_t port = 0;
  std::atomic<bool> closing = false;

  // Makes room for one more connection and counts it. Beyond a limit a connection that waits for its peer is closed (one of the same peer,
  // if it is the peer's limit); false if the server is working for all of them.
  bool admit(Connection& connection);
  void dismiss(Connection& connection);
  // The process has no descriptor left: closes some connections that wait for their peers.
  void relieve();

  // Connections beyond the limit only get a refusal; how many of these at once is bounded as well.
  bool admit_refused() { return refused_.fetch_add(1) < 64 || (refused_.fetch_sub(1), false); }
  void dismiss_refused() { --refused_; }

 private:
  // All of these need mutex_ held.
  bool make_room(const PeerCounts& peer);
  bool give_up_one(const PeerCounts* of_peer);
  void forget(Connection& connection);

  std::mutex mutex_;
  std::unordered_set<Connection*> connections_;
  std::unordered_map<std::string, PeerCounts> peers_;  // by address; connections point to their entry
  std::atomic<int> refused_ = 0;
};

}  // namespace brume::wire
