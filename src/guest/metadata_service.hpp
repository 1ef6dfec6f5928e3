// What an instance sees at http://169.254.169.254/: its own facts, its user data, and session tokens (metadata versions 1 and 2).
//
// The caller is identified by (VPC, source address), never by a header; the network's anti-spoofing makes that address trustworthy. An
// answer depends on nothing but the World of that moment, the caller, the request and the time, so values follow every change at once, and
// nothing has to be stored, pushed or cleaned up.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "guest/metadata_configuration.hpp"
#include "guest/metadata_tree.hpp"
#include "state/store.hpp"
#include "wire/http/server.hpp"

namespace brume::guest {

// Threads: answer may be called from any thread; it takes no lock, waits for nothing and does no I/O.
class MetadataService {
 public:
  // Throws std::invalid_argument if the token key is shorter than 32 bytes. Keeps references to the store and the clock.
  MetadataService(const state::Store& store, MetadataConfiguration configuration, const Clock& clock);

  // `vpc_id` is the network in which the request arrived; the address is request.peer_address.
  wire::HttpResponse answer(const wire::HttpRequest& request, std::string_view vpc_id) const;
  // The same, from a given World.
  wire::HttpResponse answer(const wire::HttpRequest& request, std::string_view vpc_id, const state::World& world) const;

  // EC2's small page for a refused request, also for requests that the HTTP server refuses by itself.
  static wire::HttpResponse page(int status);

 private:
  wire::HttpResponse answer_token(const wire::HttpRequest& request, const state::Instance& instance) const;
  wire::HttpResponse answer_content(const wire::HttpRequest& request, const MetadataView& view, const std::vector<std::string>& path) const;

  const state::Store& store_;
  const MetadataConfiguration configuration_;
  const Clock& clock_;
  const MetadataTree tree_;
};

}  // namespace brume::guest
