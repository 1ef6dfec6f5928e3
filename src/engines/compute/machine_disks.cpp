#include "engines/compute/machine_disks.hpp"

#include <algorithm>

#include <boost/json.hpp>

#include "base/log.hpp"
#include "base/text.hpp"
#include "engines/compute/qemu_arguments.hpp"

namespace brume::compute {
namespace {

namespace json = boost::json;

constexpr auto disk_command_limit = seconds(10);
constexpr size_t most_graph_nesting = 32;
constexpr const char* fold_suffix = "-fold";
constexpr const char* gone_suffix = "gone";  // no dash: not one of the volume's own nodes

bool says(const Error& error, std::string_view text) { return error.message.find(text) != std::string::npos; }

Result<json::value> ask(Machine& machine, std::string_view question, std::string_view arguments = {}) {
  auto reply = machine.execute(question, arguments, disk_command_limit);
  if (!reply) return fail(reply.error());
  json::parse_options options;
  options.max_depth = most_graph_nesting;
  json::error_code code;
  auto value = json::parse(reply->value, code, {}, options);
  if (code) return fail(ErrorKind::broken, "QEMU's answer to " + std::string(question) + " cannot be understood");
  return value;
}

std::string text_at(const json::value& object, std::string_view key) {
  const auto* members = object.if_object();
  const auto* value = members ? members->if_contains(key) : nullptr;
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

struct Node {
  std::string name;
  std::int64_t generation = 0;
};

// The nodes of the volume that have a name of ours, newest first.
Result<std::vector<Node>> nodes_of(Machine& machine, const std::string& volume_id) {
  const auto all = ask(machine, "query-named-block-nodes", R"({"flat":true})");
  if (!all) return fail(all.error());
  const auto name = disk_name(volume_id);
  std::vector<Node> nodes;
  if (const auto* list = all->if_array())
    for (const auto& each : *list) {
      Node node{text_at(each, "node-name"), 0};
      if (!node.name.starts_with(name)) continue;
      const auto rest = std::string_view(node.name).substr(name.size());
      if (!rest.empty() && rest.front() != '-') continue;
      if (rest.size() > 1) {
        const auto number = parse_integer(rest.substr(1));
        if (!number) continue;
        node.generation = *number;
      }
      nodes.push_back(std::move(node));
    }
  std::sort(nodes.begin(), nodes.end(), [](const Node& a, const Node& b) { return a.generation > b.generation; });
  return nodes;
}

std::string backend_of(const std::string& volume_id) { return "/machine/peripheral/" + disk_name(volume_id) + "/virtio-backend"; }

// Of a server: all machines go through this gate, which holds them together to the volume's limits.
std::string gate_of(const std::string& volume_id) { return disk_name(volume_id) + "gate"; }
std::string limits_of(const std::string& volume_id) { return disk_name(volume_id) + "limits"; }

const json::array* list_at(const json::value& object, std::string_view key) {
  const auto* members = object.if_object();
  const auto* value = members ? members->if_contains(key) : nullptr;
  return value ? value->if_array() : nullptr;
}

// The node that a server's gate stands on now.
Result<std::string> node_behind_gate(Machine& server) {
  const auto graph = ask(server, "x-debug-query-block-graph");
  if (!graph) return fail(graph.error());
  const auto* nodes = list_at(*graph, "nodes");
  const auto* edges = list_at(*graph, "edges");
  if (nodes == nullptr || edges == nullptr)
    return fail(ErrorKind::broken, "the server of " + server.id() + " does not say what it has open");
  const auto number = [](const json::value& object, std::string_view key) { return object.as_object().at(key).to_number<std::int64_t>(); };
  const auto gate =
      std::find_if(nodes->begin(), nodes->end(), [&](const auto& node) { return text_at(node, "name") == gate_of(server.id()); });
  if (gate == nodes->end()) return fail(ErrorKind::not_found, "the server of " + server.id() + " has nothing open");
  for (const auto& edge : *edges) {
    if (text_at(edge, "name") != "file" || number(edge, "parent") != number(*gate, "id")) continue;
    for (const auto& node : *nodes)
      if (number(node, "id") == number(edge, "child")) return text_at(node, "name");
  }
  return fail(ErrorKind::broken, "the server of " + server.id() + " does not say what it has open");
}

// The node that the guest's disk, or a server's gate, stands on now.
Result<std::string> current_node(Machine& machine, const std::string& volume_id) {
  if (machine.id() == volume_id) return node_behind_gate(machine);
  const auto node = ask(machine, "qom-get", json_object({{"path", backend_of(volume_id)}, {"property", "drive"}}));
  if (!node) {
    if (says(node.error(), "not found")) return fail(ErrorKind::not_found, machine.id() + " has no disk " + volume_id);
    return fail(node.error());
  }
  if (!node->is_string()) return fail(ErrorKind::broken, "QEMU does not say what " + volume_id + " stands on");
  return std::string(node->get_string());
}

std::string key_name(const Disk& disk) { return disk_name(disk.volume_id) + "-key"; }

// The key goes over the monitor's socket, which only we can open.
Result<void> hand_over_key(Machine& machine, const Disk& disk) {
  if (disk.key.empty()) return {};
  const auto arguments = json::serialize(json::object{{"qom-type", "secret"}, {"id", key_name(disk)}, {"data", disk.key}});
  if (auto given = machine.execute("object-add", arguments, disk_command_limit); !given && !says(given.error(), "uplicate"))
    return fail(given.error());
  return {};
}

void take_back_key(Machine& machine, const std::string& volume_id) {
  [[maybe_unused]] const auto gone =
      machine.execute("object-del", json_object({{"id", disk_name(volume_id) + "-key"}}), disk_command_limit);
}

Result<void> remove_nodes(Machine& machine, const std::string& volume_id) {
  const auto nodes = nodes_of(machine, volume_id);
  if (!nodes) return fail(nodes.error());
  for (const auto& node : *nodes) {
    auto removed = machine.execute("blockdev-del", json_object({{"node-name", node.name}}), disk_command_limit);
    // Already gone, which is what was requested.
    if (!removed && !says(removed.error(), "Failed to find node")) return fail(removed.error());
  }
  // The substitute for it, once the guest has finally released the device.
  [[maybe_unused]] const auto stand_in =
      machine.execute("blockdev-del", json_object({{"node-name", disk_name(volume_id) + gone_suffix}}), disk_command_limit);
  take_back_key(machine, volume_id);
  return {};
}

// A block job holds its nodes, so it is aborted before they change. What it copied so far stays, and is right.
Result<void> end_fold(Machine& machine, const std::string& volume_id) {
  const auto job = disk_name(volume_id) + fold_suffix;
  return machine.end_job(job, disk_command_limit);
}

// The guest keeps a device whose bytes go nowhere; the volume is free.
Result<void> take_away(Machine& machine, const std::string& volume_id) {
  const auto nothing = disk_name(volume_id) + gone_suffix;
  [[maybe_unused]] const auto added = machine.execute(
      "blockdev-add", R"({"driver":"null-co","node-name":")" + nothing + R"(","size":1073741824,"read-zeroes":true})", disk_command_limit);
  auto swapped = machine.execute("qom-set", json_object({{"path", backend_of(volume_id)}, {"property", "drive"}, {"value", nothing}}),
                                 disk_command_limit);
  if (!swapped) return fail(swapped.error().within("cannot take " + volume_id + " from " + machine.id()));
  return {};
}

// The guest never released the device after the volume was taken away by force: it gets the volume back under that device.
Result<void> give_back(Machine& machine, const Disk& disk) {
  if (disk.served_to.empty())
    if (auto given = hand_over_key(machine, disk); !given) return given;
  if (auto added = machine.execute("blockdev-add", disk_node(disk), disk_command_limit); !added) return fail(added.error());
  const auto arguments = json_object({{"path", backend_of(disk.volume_id)}, {"property", "drive"}, {"value", disk_node_name(disk)}});
  if (auto swapped = machine.execute("qom-set", arguments, disk_command_limit); !swapped) {
    [[maybe_unused]] const auto undone = remove_nodes(machine, disk.volume_id);
    return fail(swapped.error().within("cannot give " + disk.volume_id + " back to " + machine.id()));
  }
  [[maybe_unused]] const auto removed =
      machine.execute("blockdev-del", json_object({{"node-name", disk_name(disk.volume_id) + gone_suffix}}), disk_command_limit);
  return {};
}

}  // namespace

Error explain(Error error) {
  if (says(error, "Cannot allocate memory") || says(error, "No space left"))
    error.kind = ErrorKind::exhausted;
  else if (says(error, "uplicate"))
    error.kind = ErrorKind::exists;
  return error;
}

Result<void> attach_disk(Machine& machine, const Disk& disk, bool pauses) {
  if (auto valid = validate(disk); !valid) return valid;
  const auto what = "cannot attach " + disk.volume_id + " to " + machine.id();
  if (const auto node = current_node(machine, disk.volume_id)) {
    if (*node != disk_name(disk.volume_id) + gone_suffix)
      return fail(ErrorKind::exists, disk.volume_id + " is attached to " + machine.id() + " already");
    auto given = give_back(machine, disk);
    return given && disk.served_to.empty() ? limit_disk(machine, disk.volume_id, disk.limits) : given;
  }
  // Left by an attachment that was aborted.
  if (auto cleared = remove_nodes(machine, disk.volume_id); !cleared) return fail(cleared.error().within(what));
  if (disk.served_to.empty())
    if (auto given = hand_over_key(machine, disk); !given) return fail(given.error().within(what));
  auto plugged = machine.execute("blockdev-add", disk_node(disk), disk_command_limit);
  if (plugged) {
    plugged = machine.execute("device_add", disk_device(disk, false, pauses), disk_command_limit);
    // Two names that mean the same to the guest: the second disk gets no number.
    if (!plugged && says(plugged.error(), "acpi-index")) {
      auto nameless = disk;
      nameless.device.clear();
      plugged = machine.execute("device_add", disk_device(nameless, false, pauses), disk_command_limit);
    }
  }
  // A disk of several machines is held to its limits by its server.
  if (plugged) return disk.limits.any() && disk.served_to.empty() ? limit_disk(machine, disk.volume_id, disk.limits) : Result<void>();
  [[maybe_unused]] const auto undone = remove_nodes(machine, disk.volume_id);
  return fail(explain(plugged.error()).within(what));
}

Result<void> detach_disk(Machine& machine, const std::string& volume_id, bool force, milliseconds limit) {
  if (auto ended = end_fold(machine, volume_id); !ended) return ended;
  auto unplugged = machine.unplug(disk_name(volume_id), limit);
  if (!unplugged) {
    if (!force || unplugged.error().kind != ErrorKind::timed_out) return unplugged;
    if (auto taken = take_away(machine, volume_id); !taken) return taken;
  }
  return remove_nodes(machine, volume_id);
}

namespace {

std::int64_t generation_of(std::string_view node) {
  const auto dash = node.find('-');
  return dash == std::string_view::npos ? 0 : parse_integer(node.substr(dash + 1)).value_or(0);
}

// Left by a daemon that died between adding an overlay and switching to it: it would be in the way of every later switch.
Result<void> remove_unused_overlays(Machine& machine, const std::string& volume_id, const std::string& current) {
  const auto nodes = nodes_of(machine, volume_id);
  if (!nodes) return fail(nodes.error());
  for (const auto& node : *nodes) {
    if (node.generation <= generation_of(current)) continue;
    if (auto removed = machine.execute("blockdev-del", json_object({{"node-name", node.name}}), disk_command_limit); !removed)
      return fail(removed.error());
  }
  return {};
}

// A request of a daemon that was killed may still take effect while the next one looks: then the node exists already, used or unused.
// False: the disk stands on it.
Result<bool> add_overlay(Machine& machine, const Disk& overlay) {
  // The file below is open already: it is the node that this one replaces.
  auto alone = overlay;
  alone.bases.clear();
  const auto made = machine.execute("blockdev-add", disk_node(alone), disk_command_limit);
  if (made) return true;
  if (!says(made.error(), "Duplicate nodes")) return fail(made.error());
  log::info("compute", "{} of {} was there already", disk_node_name(overlay), machine.id());
  return current_node(machine, overlay.volume_id).map([&](const std::string& now) { return now != disk_node_name(overlay); });
}

}  // namespace

Result<milliseconds> switch_disks(Machine& machine, const std::vector<Disk>& overlays) {
  json::array actions;
  std::vector<std::string> added;
  const auto undo = [&](const Error& error) {
    for (const auto& node : added)
      [[maybe_unused]] const auto gone = machine.execute("blockdev-del", json_object({{"node-name", node}}), disk_command_limit);
    return fail(explain(error).within("cannot take a snapshot of the disks of " + machine.id()));
  };
  for (const auto& overlay : overlays) {
    if (auto ended = end_fold(machine, overlay.volume_id); !ended) return undo(ended.error());
    const auto node = current_node(machine, overlay.volume_id);
    if (!node) return undo(node.error());
    if (auto cleared = remove_unused_overlays(machine, overlay.volume_id, *node); !cleared) return undo(cleared.error());
    const auto unused = add_overlay(machine, overlay);
    if (!unused) return undo(unused.error());
    if (!*unused) continue;
    added.push_back(disk_node_name(overlay));
    actions.push_back(json::object{{"type", "blockdev-snapshot"}, {"data", {{"node", *node}, {"overlay", added.back()}}}});
  }
  if (actions.empty()) return milliseconds(0);
  const auto began = std::chrono::steady_clock::now();
  const auto switched = machine.execute("transaction", json::serialize(json::object{{"actions", std::move(actions)}}), seconds(30));
  if (!switched) return undo(switched.error());
  return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - began);
}

// By the node's name, because QEMU has its own way to name a file that stands on another one than its header says.
Result<std::int64_t> disk_generation(Machine& machine, const std::string& volume_id) {
  return current_node(machine, volume_id).map(generation_of);
}

namespace {

// QEMU's name of a node's file: its path, or for an encrypted one the way it was opened.
bool is_on(const json::value& node, const std::string& path) {
  const auto file = text_at(node, "file");
  constexpr std::string_view prefix = "json:";
  if (!file.starts_with(prefix)) return file == path;
  json::error_code code;
  const auto opened = json::parse(std::string_view(file).substr(prefix.size()), code);
  const auto* members = code ? nullptr : opened.if_object();
  const auto* below = members == nullptr ? nullptr : members->if_contains("file");
  return below != nullptr && text_at(*below, "filename") == path;
}

// The volume's node of this file. `not_found`: a machine of an older daemon, in which the nodes below have no names.
Result<std::string> node_on(Machine& machine, const std::string& volume_id, const std::string& path) {
  const auto all = ask(machine, "query-named-block-nodes", R"({"flat":true})");
  if (!all) return fail(all.error());
  if (const auto* list = all->if_array())
    for (const auto& each : *list) {
      auto name = text_at(each, "node-name");
      if ((name == disk_name(volume_id) || name.starts_with(disk_name(volume_id) + "-")) && is_on(each, path)) return name;
    }
  return fail(ErrorKind::not_found, volume_id + " has no node on " + path);
}

}  // namespace

Result<void> fold_disk(Machine& machine, const std::string& volume_id, const std::string& base, const std::string& base_name,
                       std::uint64_t bytes_per_second) {
  const auto current = current_node(machine, volume_id);
  if (!current) return fail(current.error());
  json::object arguments = {{"job-id", disk_name(volume_id) + fold_suffix}, {"device", *current}, {"speed", bytes_per_second}};
  if (!base.empty()) {
    const auto node = node_on(machine, volume_id, base);
    if (!node && node.error().kind != ErrorKind::not_found) return fail(node.error());
    arguments[node ? "base-node" : "base"] = node.value_or(base);
    arguments["backing-file"] = base_name;
  }
  auto begun = machine.execute("block-stream", json::serialize(arguments), disk_command_limit);
  if (begun) return {};
  auto error = explain(begun.error());
  if (says(error, "already in use") || says(error, "already exists")) error.kind = ErrorKind::exists;
  return fail(error.within("cannot shorten the chain of " + volume_id));
}

Result<int> fold_percent(Machine& machine, const std::string& volume_id) {
  const auto jobs = ask(machine, "query-block-jobs");
  if (!jobs) return fail(jobs.error());
  if (const auto* list = jobs->if_array())
    for (const auto& job : *list) {
      if (text_at(job, "device") != disk_name(volume_id) + fold_suffix) continue;
      const auto length = job.at("len").to_number<std::uint64_t>();
      return length == 0 ? 0 : static_cast<int>(job.at("offset").to_number<std::uint64_t>() * 100 / length);
    }
  return fail(ErrorKind::not_found, machine.id() + " does not shorten the chain of " + volume_id);
}

// The limit belongs to the guest's disk and not to a node, so it stays when a snapshot puts another file under it.
Result<void> limit_disk(Machine& machine, const std::string& volume_id, const DiskLimits& limits) {
  if (machine.id() == volume_id) {
    auto limited = machine.execute(
        "qom-set", R"({"path":"/objects/)" + limits_of(volume_id) + R"(","property":"limits","value":)" + server_limits(limits) + "}",
        disk_command_limit);
    if (!limited) return fail(limited.error().within("cannot hold " + volume_id + " to its IOPS and throughput"));
    return {};
  }
  auto limited = machine.execute("block_set_io_throttle", disk_throttle(backend_of(volume_id), limits), disk_command_limit);
  if (limited) return {};
  auto error = explain(limited.error());
  if (says(error, "not found") || says(error, "has no medium")) error.kind = ErrorKind::not_found;
  return fail(error.within("cannot hold " + volume_id + " to its IOPS and throughput"));
}

Result<void> open_served_disk(Machine& server, const Disk& disk) {
  auto own = disk;
  own.served_to.clear();
  const auto gate = json::serialize(json::object{{"driver", "throttle"},
                                                 {"node-name", gate_of(disk.volume_id)},
                                                 {"throttle-group", limits_of(disk.volume_id)},
                                                 {"file", disk_node_name(own)},
                                                 {"discard", "unmap"}});
  auto done = hand_over_key(server, own);
  const auto go_on = [&](std::string_view command, const std::string& arguments) {
    if (!done) return;
    if (auto reply = server.execute(command, arguments, disk_command_limit); !reply) done = fail(explain(reply.error()));
  };
  go_on("object-add",
        R"({"qom-type":"throttle-group","id":")" + limits_of(disk.volume_id) + R"(","limits":)" + server_limits(disk.limits) + "}");
  go_on("blockdev-add", disk_node(own));
  go_on("blockdev-add", gate);
  return done;
}

Result<std::set<std::string>> served_machines(Machine& server) {
  const auto exports = ask(server, "query-block-exports");
  if (!exports) return fail(exports.error());
  std::set<std::string> machines;
  if (const auto* list = exports->if_array())
    for (const auto& each : *list) machines.insert(text_at(each, "id"));
  return machines;
}

Result<void> let_in(Machine& server, const std::string& machine_id) {
  const auto arguments = json::serialize(
      json::object{{"type", "nbd"}, {"id", machine_id}, {"name", machine_id}, {"node-name", gate_of(server.id())}, {"writable", true}});
  if (auto added = server.execute("block-export-add", arguments, disk_command_limit); !added) return fail(added.error());
  return {};
}

Result<void> note_served_size(Machine& machine, const std::string& volume_id, std::uint64_t bytes) {
  Disk disk{.volume_id = volume_id, .file = {}, .format = {}};
  disk.served_to = machine.id();
  // The machine reconnects, and so learns the new size, when it has something to ask: that is what this is for.
  auto done = machine.execute("blockdev-reopen", R"({"options":[)" + disk_node(disk) + "]}", disk_command_limit);
  if (done)
    done = machine.execute("block_resize", json::serialize(json::object{{"node-name", disk_node_name(disk)}, {"size", bytes}}),
                           disk_command_limit);
  if (done || says(done.error(), "Failed to find node") || says(done.error(), "Cannot find")) return {};
  return fail(explain(done.error()).within(machine.id() + " does not see that " + volume_id + " has grown"));
}

Result<void> resize_disk(Machine& machine, const std::string& volume_id, std::uint64_t bytes) {
  if (auto ended = end_fold(machine, volume_id); !ended) return ended;
  const auto node = machine.id() == volume_id ? Result<std::string>(gate_of(volume_id)) : current_node(machine, volume_id);
  if (!node) return fail(node.error());
  const auto arguments = json::serialize(json::object{{"node-name", *node}, {"size", bytes}});
  if (auto resized = machine.execute("block_resize", arguments, disk_command_limit); !resized)
    return fail(explain(resized.error()).within("cannot resize " + volume_id));
  return {};
}

}  // namespace brume::compute
