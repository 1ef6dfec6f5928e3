// The machines that an installation's guests run on.
#pragma once

#include <cstdint>
#include <string>

#include "state/records/kind.hpp"

namespace brume::state {

// Written by the daemon of the host when it starts. What is bound to a host (machine, file) names it by its id in the field `host`.
struct Host {
  static constexpr Kind kind = Kind::host;
  std::string id;    // "host-1"; stays when the machine is renamed
  std::string name;  // as the machine calls itself
  // What its guests may take together. No memory: without a limit, which only a simulation has.
  std::int64_t memory_mib = 0;
  std::int64_t processors = 0;
  bool takes_launches = true;  // else: what it has stays, but nothing new is placed on it, and nothing stopped is started
  bool is_bounded() const { return memory_mib > 0; }
  const std::string& key() const { return id; }
  template <class V>
  void fields(V& v) {
    v("id", id);
    v("name", name);
    v("memoryMib", memory_mib);
    v("processors", processors);
    v("takesLaunches", takes_launches);
  }
};

}  // namespace brume::state
