#include "engines/compute/disk_servers.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/files.hpp"
#include "base/log.hpp"
#include "engines/compute/machine_disks.hpp"
#include "engines/compute/qemu_arguments.hpp"

namespace brume::compute {
namespace {

constexpr auto server_greeting_limit = seconds(20);
constexpr auto export_limit = seconds(5);
constexpr auto server_quit_limit = seconds(10);
constexpr auto unknown_limit = seconds(2);  // of a server whose process is unknown

std::string door_folder(const MachineFolder& folder) { return folder.path() + "/door"; }
std::string door_of(const MachineFolder& folder) { return door_folder(folder) + "/nbd"; }

}  // namespace

std::shared_ptr<DiskServers::Server> DiskServers::entry(const std::string& volume_id) {
  const std::lock_guard lock(mutex_);
  auto& server = servers_[volume_id];
  if (!server) server = std::make_shared<Server>();
  return server;
}

std::shared_ptr<Machine> DiskServers::find(const std::string& volume_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = servers_.find(volume_id);
  if (found == servers_.end() || !found->second->machine || found->second->machine->ended()) return nullptr;
  return found->second->machine;
}

void DiskServers::keep(Server& server, std::shared_ptr<Machine> machine) {
  const std::lock_guard lock(mutex_);
  server.machine.swap(machine);
}

std::shared_ptr<Machine> DiskServers::make_machine(const std::string& volume_id) const {
  Machine::Callbacks callbacks;
  callbacks.report = parts_.report;
  callbacks.gone = [](const std::string&) {};
  return std::make_shared<Machine>(parts_.loop, volume_id, folder_of(volume_id), std::move(callbacks));
}

Result<std::shared_ptr<Machine>> DiskServers::start(const Disk& disk) const {
  const auto folder = folder_of(disk.volume_id);
  const auto user = parts_.user(disk.volume_id);
  if (auto prepared = folder.prepare(user); !prepared) return fail(prepared.error());
  if (auto made = make_folders(door_folder(folder), 0700); !made) return fail(made.error());
  auto qmp = listen_unix(folder.qmp_socket());
  if (!qmp) return fail(qmp.error());
  auto door = listen_unix(door_of(folder));
  if (!door) return fail(door.error());
  // Anybody who can reach a link to it may connect; the folders around the links restrict who that is.
  if (::chmod(door_of(folder).c_str(), 0666) != 0) return fail_system("cannot open " + door_of(folder), errno);
  const auto process = start_detached(disk_server_command(folder.path(), qmp->get(), door->get(), user));
  if (!process) return fail(process.error());
  qmp->close();
  door->close();
  auto server = make_machine(disk.volume_id);
  const ProcessName name{*process, process_start_time(*process).value_or(0), false};
  auto done = server->watch(name);
  if (done) done = folder.keep_process(name);
  if (done)
    if (auto monitor = server->monitor(server_greeting_limit); !monitor) done = fail(monitor.error());
  if (done) done = open_served_disk(*server, disk);
  if (done) {
    server->started();
    return server;
  }
  if (auto ended = server->end(milliseconds(0)); !ended) log::error("compute", "{}", ended.error().message);
  const auto words = folder.words();
  server->release();
  folder.remove();
  return fail(words.empty() ? done.error() : Error{done.error().kind, words});
}

// The machine's user may pass through its folder of links, but not change it.
Result<void> DiskServers::open_door(const std::string& volume_id, const Client& client) const {
  const auto door = door_of(folder_of(volume_id));
  const auto link = client.folder + "/" + server_door(volume_id);
  const auto folder = link.substr(0, link.rfind('/'));
  if (auto made = make_folders(folder, 0710); !made) return made;
  if (client.user && ::chown(folder.c_str(), ::geteuid(), *client.user) != 0) return fail_system("cannot give away " + folder, errno);
  struct stat now {};
  struct stat wanted {};
  if (::stat(door.c_str(), &wanted) != 0) return fail_system("cannot find " + door, errno);
  if (::lstat(link.c_str(), &now) == 0 && now.st_ino == wanted.st_ino && now.st_dev == wanted.st_dev) return {};
  // An earlier link leads to a server that is gone.
  ::unlink(link.c_str());
  if (::link(door.c_str(), link.c_str()) != 0) return fail_system("cannot make " + link, errno);
  return {};
}

Result<void> DiskServers::admit(const Disk& disk, const Client& client) {
  const auto server = entry(disk.volume_id);
  const std::lock_guard turn(server->turn);
  const auto what = "cannot serve " + disk.volume_id + " to " + client.id;
  auto machine = find(disk.volume_id);
  if (!machine) {
    auto started = start(disk);
    if (!started) return fail(started.error().within(what));
    machine = *started;
    keep(*server, machine);
    const std::lock_guard lock(mutex_);
    server->clients.clear();
  }
  const auto inside = served_machines(*machine);
  auto done = inside ? Result<void>() : Result<void>(fail(inside.error()));
  if (done && inside->count(client.id) == 0) done = let_in(*machine, client.id);
  if (done) done = open_door(disk.volume_id, client);
  if (done) {
    const std::lock_guard lock(mutex_);
    server->clients.insert(client.id);
    return {};
  }
  if (auto ended = end_unused(*server, disk.volume_id); !ended) log::error("compute", "{}", ended.error().message);
  return fail(done.error().within(what));
}

Result<void> DiskServers::end_unused(Server& server, const std::string& volume_id) {
  std::shared_ptr<Machine> machine;
  {
    const std::lock_guard lock(mutex_);
    if (!server.clients.empty()) return {};
    machine = server.machine;
  }
  if (!machine) return {};
  if (!machine->ended())
    if (auto ended = machine->end(server_quit_limit); !ended) return ended;
  machine->release();
  keep(server, nullptr);
  folder_of(volume_id).remove();
  parts_.left(volume_id);
  return {};
}

Result<void> DiskServers::shut_out(Server& server, const std::string& volume_id, const std::string& client_id) {
  if (const auto machine = find(volume_id))
    if (auto removed = machine->remove_export(client_id, export_limit); !removed && !machine->ended())
      log::warning("compute", "{}", removed.error().message);
  {
    const std::lock_guard lock(mutex_);
    server.clients.erase(client_id);
  }
  return end_unused(server, volume_id);
}

Result<void> DiskServers::dismiss(const std::string& volume_id, const std::string& client_id) {
  std::shared_ptr<Server> server;
  {
    const std::lock_guard lock(mutex_);
    const auto found = servers_.find(volume_id);
    if (found == servers_.end() || found->second->clients.count(client_id) == 0) return {};
    server = found->second;
  }
  const std::lock_guard turn(server->turn);
  return shut_out(*server, volume_id, client_id);
}

void DiskServers::dismiss_everywhere(const std::string& client_id) {
  std::vector<std::string> volumes;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [volume, server] : servers_)
      if (server->clients.count(client_id) != 0) volumes.push_back(volume);
  }
  for (const auto& volume : volumes)
    if (auto dismissed = dismiss(volume, client_id); !dismissed) log::error("compute", "{}", dismissed.error().message);
}

Result<std::set<std::string>> DiskServers::resize(const std::string& volume_id, std::uint64_t bytes) {
  const auto server = entry(volume_id);
  const std::lock_guard turn(server->turn);
  const auto machine = find(volume_id);
  if (!machine) return fail(ErrorKind::not_found, volume_id + " is not served");
  auto inside = served_machines(*machine);
  if (!inside) return inside;
  Result<void> done;
  for (const auto& client : *inside)
    if (done) done = machine->remove_export(client, export_limit);
  if (done) done = resize_disk(*machine, volume_id, bytes);
  const auto left = served_machines(*machine);
  for (const auto& client : *inside)
    if (left && left->count(client) == 0)
      if (auto back = let_in(*machine, client); !back && done) done = back;
  if (!done) return fail(done.error());
  return inside;
}

void DiskServers::take_up(const std::string& volume_id, const std::set<std::string>& running) {
  const auto folder = folder_of(volume_id);
  const auto machine = make_machine(volume_id);
  const auto process = folder.process();
  if (!process || !process->alive(parts_.user(volume_id)) || !machine->watch(*process)) {
    // The daemon died before it recorded the process, or the process has ended: a new server is started when one is needed.
    if (const auto monitor = machine->monitor()) {
      (*monitor)->post("quit");
      (*monitor)->wait_until_closed(unknown_limit);
    }
    machine->release();
    return folder.remove();
  }
  machine->started();
  const auto server = entry(volume_id);
  const std::lock_guard turn(server->turn);
  keep(*server, machine);
  const auto inside = served_machines(*machine);
  if (!inside) log::warning("compute", "the server of {} runs but does not answer: {}", volume_id, inside.error().message);
  {
    const std::lock_guard lock(mutex_);
    server->clients = inside ? *inside : running;
  }
  if (!inside) return;
  auto done = end_unused(*server, volume_id);
  for (const auto& client : *inside)
    if (running.count(client) == 0) done = shut_out(*server, volume_id, client);
  if (!done) log::error("compute", "{}", done.error().message);
}

void DiskServers::recover(const std::set<std::string>& running) {
  std::error_code code;
  for (const auto& each : std::filesystem::directory_iterator(parts_.folder, code)) {
    const auto id = each.path().filename().string();
    if (each.is_directory() && is_plain_id(id) && !find(id)) take_up(id, running);
  }
}

void DiskServers::release() {
  const std::lock_guard lock(mutex_);
  for (const auto& [volume, server] : servers_)
    if (server->machine) server->machine->release();
}

}  // namespace brume::compute
