// The whole of Brume in one process: builds every part once, in order, and hands each to those that need it.
#pragma once

#include <memory>
#include <vector>

#include "base/result.hpp"
#include "daemon/configuration.hpp"

namespace brume::daemon {

class Daemon {
 public:
  // Everything up to serving requests. `exists`: another daemon runs on this home folder, or the port is in use.
  static Result<std::unique_ptr<Daemon>> start(const Configuration& configuration);
  ~Daemon();

  // "http://127.0.0.1:8773"
  std::string endpoint() const;
  // Until a signal or the operator asks for the end; then ends everything in order.
  void run();

 private:
  class Region;
  Daemon();
  Result<void> begin(const Configuration& configuration);
  void take_back();
  // One region more.
  Result<void> build(const Configuration& configuration);
  void stop(bool with_machines);

  std::vector<std::unique_ptr<Region>> regions_;  // by region, the first one first
};

}  // namespace brume::daemon
