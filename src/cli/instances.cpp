// 'brume list', 'brume ssh' and 'brume console': the operator's view of the instances of all accounts.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>

#include "base/descriptor.hpp"
#include "base/files.hpp"
#include "cli/admin_client.hpp"
#include "cli/commands.hpp"

namespace brume::cli {

namespace json = boost::json;

namespace {

constexpr char escape = 0x1d;  // Ctrl-]
constexpr std::size_t shown_before = 4096;

// The one instance that is meant: by id, by the tag Name, or the only running one.
Result<json::value> find_instance(const Options& options, const std::string& wanted) {
  auto list = AdminClient(options.home).get("/instances");
  if (!list) return fail(list.error());
  json::array found;
  for (const auto& instance : list->as_array()) {
    const bool running = text(instance, "state") == "running";
    if (wanted.empty() ? running : text(instance, "id") == wanted || (text(instance, "name") == wanted && running))
      found.push_back(instance);
  }
  if (found.size() == 1) return found.front();
  if (found.empty() && wanted.empty()) return fail(ErrorKind::not_found, "no instance is running");
  if (found.empty()) return fail(ErrorKind::not_found, "there is no running instance '" + wanted + "'; 'brume list' shows all");
  return fail(ErrorKind::invalid, std::to_string(found.size()) + " instances " + (wanted.empty() ? "run" : "have that name") +
                                      "; say which by its id ('brume list' shows them)");
}

// The login name, by the image that the instance was launched from.
std::string login_user(const json::value& instance) {
  const auto image = text(instance, "image");
  if (image.starts_with("debian")) return "admin";
  if (image.starts_with("ubuntu")) return "ubuntu";
  if (image.starts_with("fedora")) return "fedora";
  return "ec2-user";
}

// Raw mode, so that keys go through as typed, Ctrl-C too; restored at the end.
class RawTerminal {
 public:
  RawTerminal() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    auto raw = before_;
    ::cfmakeraw(&raw);
    changed_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  ~RawTerminal() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  termios before_{};
  bool changed_ = false;
};

Result<Descriptor> connect_console(const std::string& path) {
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_system("cannot make a socket", errno);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // A home's path may be longer than a socket address allows; the open file's name in /proc is short.
  const Descriptor file(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!file) return fail_system("cannot open the serial console " + path, errno);
  const auto name = "/proc/self/fd/" + std::to_string(file.get());
  std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_system("cannot reach the serial console " + path, errno);
  return socket;
}

bool write_all(int file, const char* data, std::size_t size) {
  while (size > 0) {
    const auto written = ::write(file, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    data += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

// Runs until Ctrl-] is typed, the input ends or the machine does. Returns whether the machine ended it.
bool pass_both_ways(int console) {
  std::array<pollfd, 2> ends{{{STDIN_FILENO, POLLIN, 0}, {console, POLLIN, 0}}};
  std::array<char, 4096> buffer{};
  while (true) {
    if (::poll(ends.data(), ends.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    if (ends[1].revents != 0) {
      const auto count = ::read(console, buffer.data(), buffer.size());
      if (count <= 0 || !write_all(STDOUT_FILENO, buffer.data(), static_cast<std::size_t>(count))) return true;
    }
    if (ends[0].revents == 0) continue;
    const auto count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count <= 0) return false;
    const auto* end = static_cast<const char*>(std::memchr(buffer.data(), escape, static_cast<std::size_t>(count)));
    const auto size = end != nullptr ? static_cast<std::size_t>(end - buffer.data()) : static_cast<std::size_t>(count);
    if (!write_all(console, buffer.data(), size)) return true;
    if (end != nullptr) return false;
  }
}

}  // namespace

int list_instances(const Options& options, bool as_json) {
  auto list = AdminClient(options.home).get("/instances");
  if (!list) return complain(list.error());
  if (as_json) {
    std::printf("%s\n", json::serialize(*list).c_str());
    return 0;
  }
  constexpr const char* row = "{:<19}  {:<13}  {:<12}  {:<15}  {:<15}  {:<12}  {:<18}  {}\n";
  fmt::print(row, "id", "state", "type", "public", "private", "account", "image", "name");
  for (const auto& each : list->as_array())
    fmt::print(row, text(each, "id"), text(each, "state"), text(each, "type"), text(each, "publicAddress"), text(each, "privateAddress"),
               text(each, "account"), text(each, "image"), text(each, "name"));
  return 0;
}

int ssh(const Options& options, const SshOptions& ssh_options) {
  auto instance = find_instance(options, ssh_options.instance);
  if (!instance) return complain(instance.error());
  const auto id = text(*instance, "id");
  const auto address = text(*instance, "publicAddress");
  if (address.empty()) return complain(id + " has no public address; 'brume console " + id + "' shows its serial console");
  auto key = ssh_options.identity;
  if (key.empty() && text(*instance, "key") == "brume") key = options.home + "/brume.pem";
  if (key.empty())
    return complain(id + " was launched with the key pair '" + text(*instance, "key") +
                    "', whose private key is not Brume's; name its file: -i FILE");
  std::vector<std::string> words = {"ssh", "-i", key, "-o", "IdentitiesOnly=yes", "-o",
                                    "UserKnownHostsFile=" + options.home + "/known_hosts", "-o", "StrictHostKeyChecking=accept-new",
                                    // Addresses are reused once an instance is gone, so its host key is remembered by the instance's id.
                                    "-o", "HostKeyAlias=" + id,
                                    (ssh_options.user.empty() ? login_user(*instance) : ssh_options.user) + "@" + address};
  words.insert(words.end(), ssh_options.command.begin(), ssh_options.command.end());
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execvp("ssh", arguments.data());
  return complain(std::string("cannot start ssh: ") + std::strerror(errno));
}

int console(const Options& options, const std::string& wanted) {
  auto instance = find_instance(options, wanted);
  if (!instance) return complain(instance.error());
  const auto id = text(*instance, "id");
  const auto folder = options.home + "/machines/" + id;
  auto reached = connect_console(folder + "/serial");
  if (!reached) return complain(reached.error());
  if (const auto before = read_file_tail(folder + "/console", shown_before)) write_all(STDOUT_FILENO, before->data(), before->size());
  const bool person = ::isatty(STDIN_FILENO) == 1;
  if (person) std::fprintf(stderr, "\r\n[the serial console of %s; Ctrl-] ends, Enter shows a prompt]\r\n", id.c_str());
  std::signal(SIGPIPE, SIG_IGN);
  bool ended = false;
  {
    const RawTerminal raw;
    ended = pass_both_ways(reached->get());
  }
  if (ended && person) std::fprintf(stderr, "\n[the machine ended]\n");
  return 0;
}

}  // namespace brume::cli
