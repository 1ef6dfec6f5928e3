// Notices at once if tables of nftables change in a network namespace, whoever changes them, and if a namespace loses its name. It only
// passes this on: the receiver must know whether it was our own doing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "base/descriptor.hpp"
#include "base/result.hpp"

namespace brume::network {

// Threads: all functions may be called from any thread; `heard` is called on a thread of the watch's own, with no lock held.
class TableWatch {
 public:
  // `generations`: the numbers of the kernel's transactions that changed the tables. None: some may have been missed, or the name is gone.
  using Heard = std::function<void(const std::string& id, const std::set<std::uint32_t>& generations)>;
  static Result<std::unique_ptr<TableWatch>> start(Heard heard);
  ~TableWatch();

  // Tables called `table`, of any family, in the namespace (empty: the host's). `id` is passed to `heard`. A second call for the same has
  // no effect.
  Result<void> watch(const std::string& id, const std::string& network_namespace, const std::string& table);
  void forget(const std::string& id);

 private:
  struct Place {
    std::string id;
    std::string network_namespace;
    std::string table;
    Descriptor socket;
    bool touched = false;  // by the transaction whose end has not been received yet; used by the watch's thread only
  };
  using PlacePointer = std::shared_ptr<Place>;

  explicit TableWatch(Heard heard) : heard_(std::move(heard)) {}
  void run();
  void listen(Place& place) const;
  void hear_names();

  Heard heard_;
  Descriptor events_;  // epoll
  Descriptor names_;   // inotify on the folder of namespaces
  Descriptor stop_;
  std::mutex mutex_;                              // guards the two below
  std::map<std::uint64_t, PlacePointer> places_;  // by number, as epoll returns it
  std::uint64_t next_ = 2;
  std::thread thread_;
};

}  // namespace brume::network
