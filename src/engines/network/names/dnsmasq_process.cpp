#include "engines/network/names/dnsmasq_process.hpp"
#include "engines/host/namespaces.hpp"

#include <grp.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "engines/host/processes.hpp"
#include "engines/network/names/names.hpp"

namespace brume::network {

Result<bool> put_dnsmasq_file(const std::string& path, std::string_view content) {
  if (const auto now = read_file(path); now && *now == content) return false;
  std::ofstream file(path, std::ios::trunc);
  file << content;
  if (!file.flush()) return fail(ErrorKind::exhausted, "cannot write " + path);
  ::chmod(path.c_str(), 0644);
  return true;
}

Result<void> make_dnsmasq_folder(const std::string& folder, const std::string& group) {
  if (auto made = make_folders(folder, 0755); !made) return made;
  const auto* entry = ::getgrnam(group.c_str());
  if (entry == nullptr || ::chown(folder.c_str(), 0, entry->gr_gid) != 0 || ::chmod(folder.c_str(), 0750) != 0)
    return fail(ErrorKind::system, "cannot give " + folder + " to group " + group);
  return {};
}

// The process of the pid file, if it really is ours: our configuration is on its command line.
std::optional<int> DnsmasqProcess::id() const {
  const auto text = read_file(folder_ + "/dnsmasq.pid", 64);
  if (!text) return std::nullopt;
  const auto number = parse_integer(trim(*text));
  if (!number || *number <= 1) return std::nullopt;
  const auto command = read_file(fmt::format("/proc/{}/cmdline", *number), 4096);
  if (!command || command->find(configuration()) == std::string::npos) return std::nullopt;
  return static_cast<int>(*number);
}

bool DnsmasqProcess::is_in_place() const {
  const auto running = id();
  struct stat theirs {};
  struct stat ours {};
  const auto wanted = namespace_.empty() ? std::string("/proc/self/ns/net") : host::namespace_path(namespace_);
  return running && ::stat(fmt::format("/proc/{}/ns/net", *running).c_str(), &theirs) == 0 && ::stat(wanted.c_str(), &ours) == 0 &&
         theirs.st_ino == ours.st_ino;
}

Result<void> DnsmasqProcess::start() {
  end();
  std::error_code ignored;
  std::filesystem::remove(folder_ + "/dnsmasq.pid", ignored);
  Command command;
  command.program = "dnsmasq";
  command.arguments = {"--conf-file=" + configuration()};
  if (!namespace_.empty()) command.network_namespace = host::namespace_path(namespace_);
  // It goes into the background once its sockets are bound.
  auto done = run_checked(command, seconds(10));
  if (!done) return fail(done.error().within("cannot start dnsmasq with " + configuration()));
  return {};
}

// It removes its pid file before it closes its sockets, so only the end of the process proves that it is gone.
void DnsmasqProcess::end() {
  if (const auto running = id()) host::end_process(*running, seconds(1));
}

void DnsmasqProcess::read_again() const {
  if (const auto running = id()) ::kill(*running, SIGHUP);
}

Result<bool> DnsmasqProcess::begin_change() const {
  if (path_exists(change_mark())) return true;
  if (!std::ofstream(change_mark())) return fail(ErrorKind::exhausted, "cannot make " + change_mark());
  return false;
}

void DnsmasqProcess::end_change() const { ::unlink(change_mark().c_str()); }

}  // namespace brume::network
