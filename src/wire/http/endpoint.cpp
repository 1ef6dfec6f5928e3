#include "wire/http/endpoint.hpp"

#include <cstdlib>

#include "wire/http/connection.hpp"

namespace brume::wire {
namespace {

constexpr int given_up_at_once = 16;  // when descriptors run out

}  // namespace

bool Endpoint::admit(Connection& connection) {
  const std::lock_guard lock(mutex_);
  auto& peer = peers_[connection.peer_address()];
  // Counted before room is made, so that the peer's entry stays while its other connections are closed.
  ++peer.connections;
  if (!make_room(peer)) {
    if (--peer.connections == 0) peers_.erase(connection.peer_address());
    return false;
  }
  connection.counts = &peer;
  connections_.insert(&connection);
  return true;
}

bool Endpoint::make_room(const PeerCounts& peer) {
  while (limits.connections_of_peer > 0 && peer.connections > limits.connections_of_peer)
    if (!give_up_one(&peer)) return false;
  while (connections_.size() >= limits.connections)
    if (!give_up_one(nullptr)) return false;
  return true;
}

// The one that has waited longest, in the largest group of connections of one address that wait for the same. So somebody who opens
// thousands of connections closes their own, and a slow client elsewhere keeps its place.
bool Endpoint::give_up_one(const PeerCounts* of_peer) {
  for (;;) {
    for (auto& [address, peer] : peers_) peer.silent = peer.unread = 0;
    for (const auto* one : connections_) {
      const auto waiting = one->waiting();
      if (waiting > 0) ++one->counts->silent;
      if (waiting < 0 && waiting != Connection::given_up) ++one->counts->unread;
    }
    Connection* chosen = nullptr;
    std::int64_t chosen_waiting = 0;
    size_t chosen_group = 0;
    for (auto* one : connections_) {
      const auto waiting = one->waiting();
      if (waiting == Connection::at_work || waiting == Connection::given_up) continue;
      if (of_peer != nullptr && one->counts != of_peer) continue;
      const size_t group = waiting > 0 ? one->counts->silent : one->counts->unread;
      const bool is_older = std::abs(waiting) < std::abs(chosen_waiting);
      if (chosen != nullptr && (group < chosen_group || (group == chosen_group && !is_older))) continue;
      chosen = one;
      chosen_waiting = waiting;
      chosen_group = group;
    }
    if (chosen == nullptr) return false;
    if (!chosen->claim(chosen_waiting)) continue;  // its peer sent or took something just now: check again
    forget(*chosen);
    chosen->give_up();
    return true;
  }
}

void Endpoint::relieve() {
  const std::lock_guard lock(mutex_);
  for (int i = 0; i < given_up_at_once && give_up_one(nullptr); ++i) {
  }
}

void Endpoint::forget(Connection& connection) {
  if (connections_.erase(&connection) == 0) return;
  connection.counts = nullptr;
  const auto found = peers_.find(connection.peer_address());
  if (found != peers_.end() && --found->second.connections == 0) peers_.erase(found);
}

void Endpoint::dismiss(Connection& connection) {
  const std::lock_guard lock(mutex_);
  forget(connection);
}

}  // namespace brume::wire
