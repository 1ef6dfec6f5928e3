// Named network namespaces, as `ip netns` makes them, and work inside them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/descriptor.hpp"
#include "base/result.hpp"

namespace brume::host {

// Where `ip netns` and we look for the namespace of this name; of an empty name the folder of all.
std::string namespace_path(std::string_view name);

// Names under /run/netns that start with `prefix` and are namespaces.
std::vector<std::string> list_namespaces(std::string_view prefix);
bool namespace_exists(const std::string& name);
// Succeeds also if it exists already.
Result<void> make_namespace(const std::string& name);
// Keeps the namespace alive, with everything in it, even if its name is removed.
Result<Descriptor> hold_namespace(const std::string& name);
// Gives it its name back.
Result<void> name_namespace(const Descriptor& held, const std::string& name);
// The name is removed at once; the namespace itself goes with its last process, socket and tap.
Result<void> remove_namespace(const std::string& name);

// Runs `work` on a thread of its own inside the namespace and waits for it.
Result<void> in_namespace(const std::string& name, const std::function<Result<void>()>& work);

// Writes /proc/sys/net/… of the calling thread's namespace, unless it has the value already.
Result<void> set_network_option(const std::string& name, std::string_view value);

}  // namespace brume::host
