// Taps: the host's ends of machines' network cards. Everything happens in the namespace of the calling thread.
#pragma once

#include <string>

#include "base/descriptor.hpp"
#include "base/result.hpp"

namespace brume::network {

// Makes a persistent tap that belongs to `user`, or gives the existing one to `user`.
Result<void> make_tap(const std::string& name, unsigned user);
// Opens the queue of an existing tap. refused: a machine holds it already.
Result<Descriptor> open_tap_queue(const std::string& name);
// The number of a tap that exists and is up; else 0, also for one made by a daemon that was killed right then: no route may lead there.
int index_of_tap(const std::string& name);

}  // namespace brume::network
