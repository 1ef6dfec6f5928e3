// Taps: where a machine's network card is plugged in. All of it happens in the namespace of the calling thread.
#pragma once

#include <string>

#include "base/descriptor.hpp"
#include "base/result.hpp"

namespace brume::network {

// Makes a lasting tap that belongs to `user`, or gives the one that is there to `user`.
Result<void> make_tap(const std::string& name, unsigned user);
// The queue of a tap that is there. refused: a machine holds it already.
Result<Descriptor> open_tap_queue(const std::string& name);
// The number of a tap that is there and up; else 0, so also of one that a daemon made which was killed right then: no route may lead there.
int index_of_tap(const std::string& name);

}  // namespace brume::network
