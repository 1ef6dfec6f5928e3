#include "network_world.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>

#include <fmt/format.h>

#include "base/ipv4.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "engines/host/namespaces.hpp"
#include "engines/network/names/names.hpp"

namespace brume::network::test {
namespace {

constexpr size_t vnet_header = 10;
constexpr size_t frame_limit = 65536 + 64;

struct SocketAddress {
  sockaddr_storage bytes{};
  socklen_t size = sizeof(sockaddr_storage);
  int family() const { return bytes.ss_family; }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&bytes); }
};

SocketAddress socket_address(const std::string& address, int port) {
  SocketAddress result;
  const auto number = htons(static_cast<std::uint16_t>(port));
  if (address.find(':') == std::string::npos) {
    auto& one = *new (&result.bytes) sockaddr_in{};
    one.sin_family = AF_INET;
    one.sin_port = number;
    ::inet_pton(AF_INET, address.c_str(), &one.sin_addr);
    result.size = sizeof one;
  } else {
    auto& one = *new (&result.bytes) sockaddr_in6{};
    one.sin6_family = AF_INET6;
    one.sin6_port = number;
    ::inet_pton(AF_INET6, address.c_str(), &one.sin6_addr);
    result.size = sizeof one;
  }
  return result;
}

std::string text_of(SocketAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::getnameinfo(address.get(), address.size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
  return text.data();
}

void say(int number, std::string_view text) { [[maybe_unused]] const auto sent = ::send(number, text.data(), text.size(), MSG_NOSIGNAL); }

void signal_stop(const Descriptor& event) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(event.get(), &one, sizeof one);
}

void copy_mac(std::uint8_t* to, const std::string& mac) {
  for (size_t i = 0; i < 6; ++i) to[i] = static_cast<std::uint8_t>(std::strtoul(mac.substr(i * 3, 2).c_str(), nullptr, 16));
}

void put16(std::uint8_t* to, unsigned value) {
  to[0] = static_cast<std::uint8_t>(value >> 8);
  to[1] = static_cast<std::uint8_t>(value);
}

void put32(std::uint8_t* to, std::uint32_t value) {
  put16(to, value >> 16);
  put16(to + 2, value & 0xFFFF);
}

}  // namespace

InterfaceSpec interface_spec(unsigned number, const std::string& vpc_id, const std::string& private_ip, const std::string& public_ip,
                             const std::string& group) {
  InterfaceSpec spec;
  spec.id = fmt::format("eni-0{:016x}", number);
  spec.vpc_id = vpc_id;
  spec.subnet_cidr = private_ip.substr(0, private_ip.rfind('.')) + ".0/24";
  spec.mac = fmt::format("02:00:00:00:{:02x}:{:02x}", number >> 8 & 255, number & 255);
  spec.private_ip = private_ip;
  spec.public_ip = public_ip;
  spec.group_ids = {group};
  return spec;
}

bool readable(int number, int limit_ms) {
  pollfd wait{number, POLLIN, 0};
  return ::poll(&wait, 1, limit_ms) > 0;
}

int in_private_world(const std::function<int()>& work) {
  constexpr int skipped = 77;
  if (::unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID) != 0) {
    std::puts("skipped: this test needs root");
    return skipped;
  }
  const pid_t first = ::fork();
  if (first == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const bool ready = ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                       ::mount("proc", "/proc", "proc", 0, nullptr) == 0 && ::mount("brume-test", "/run", "tmpfs", 0, "mode=755") == 0 &&
                       run_in("", {"ip", "link", "set", "lo", "up"});
    std::_Exit([&] {
      const int result = ready ? work() : skipped;
      std::fflush(stdout);
      return result;
    }());
  }
  int status = 0;
  ::waitpid(first, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

std::optional<std::string> run_in(const std::string& space, const std::vector<std::string>& line, int seconds_limit) {
  Command command;
  command.program = line.front();
  command.arguments.assign(line.begin() + 1, line.end());
  if (!space.empty()) command.network_namespace = host::namespace_path(space);
  const auto done = run(command, seconds(seconds_limit));
  if (!done || done->status != 0) return std::nullopt;
  return done->output + done->errors;
}

void inside(const std::string& space, const std::function<void()>& work) {
  if (space.empty()) {
    work();
    return;
  }
  const auto done = host::in_namespace(space, [&]() -> Result<void> {
    work();
    return {};
  });
  if (!done) throw std::runtime_error(done.error().message);
}

Connection connect_from(const std::string& space, const std::string& address, int port, int limit_ms) {
  Connection connection;
  inside(space, [&] {
    auto target = socket_address(address, port);
    connection.socket = Descriptor(::socket(target.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int started = ::connect(connection.socket.get(), target.get(), target.size);
    int code = started == 0 ? 0 : errno;
    if (code == EINPROGRESS) {
      pollfd wait{connection.socket.get(), POLLOUT, 0};
      if (::poll(&wait, 1, limit_ms) <= 0) return;
      socklen_t size = sizeof code;
      ::getsockopt(connection.socket.get(), SOL_SOCKET, SO_ERROR, &code, &size);
    }
    connection.outcome = code == 0 ? Outcome::connected : code == ECONNREFUSED ? Outcome::refused : Outcome::silent;
  });
  return connection;
}

Outcome try_from(const std::string& space, const std::string& address, int port, int limit_ms) {
  return connect_from(space, address, port, limit_ms).outcome;
}

bool talks(const Descriptor& socket, int limit_ms) {
  std::array<char, 256> buffer{};
  while (readable(socket.get(), 0))
    if (::recv(socket.get(), buffer.data(), buffer.size(), 0) <= 0) return false;
  static std::atomic<unsigned> number = 0;
  const auto word = "word" + std::to_string(++number) + "\n";
  say(socket.get(), word);
  std::string heard;
  const auto end = std::chrono::steady_clock::now() + milliseconds(limit_ms);
  while (std::chrono::steady_clock::now() < end) {
    if (!readable(socket.get(), 20)) continue;
    const auto got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0) return false;
    heard.append(buffer.data(), static_cast<size_t>(got));
    if (heard.find(word) != std::string::npos) return true;
  }
  return false;
}

bool pings(const std::string& space, const std::string& address) {
  const auto* program = address.find(':') == std::string::npos ? "ping" : "ping6";
  return run_in(space, {"busybox", program, "-c", "1", "-W", "1", address}, 5).has_value();
}

std::string ask_name(const std::string& space, const std::string& question, const std::string& server) {
  const auto said = run_in(space, {"busybox", "nslookup", question, server}).value_or("");
  const auto answer = said.find("\n\n");  // what comes before says who was asked
  return answer == std::string::npos ? said : said.substr(answer);
}

bool says(const std::string& answer, const std::string& what) {
  for (const auto line : split(answer, '\n'))
    if (trim(line).ends_with(" " + what) || trim(line).ends_with("\t" + what)) return true;
  return false;
}

// --- echo server ---

EchoServer::EchoServer(const std::string& space, int port, const std::string& any) : stop_(::eventfd(0, EFD_CLOEXEC)) {
  inside(space, [&] {
    auto address = socket_address(any, port);
    listener_ = Descriptor(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(listener_.get(), address.get(), address.size) != 0) throw std::runtime_error("bind");
    ::listen(listener_.get(), 16);
  });
  thread_ = std::thread([this] { serve(); });
}

EchoServer::~EchoServer() {
  signal_stop(stop_);
  thread_.join();
}

void EchoServer::serve() {
  std::vector<pollfd> waits = {{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
  while (::poll(waits.data(), waits.size(), -1) >= 0 && waits[0].revents == 0) {
    for (size_t i = 2; i < waits.size(); ++i) {
      if (waits[i].revents == 0) continue;
      std::array<char, 4096> buffer{};
      const auto got = ::recv(waits[i].fd, buffer.data(), buffer.size(), 0);
      if (got > 0) {
        say(waits[i].fd, {buffer.data(), static_cast<size_t>(got)});
        continue;
      }
      ::close(waits[i].fd);
      waits.erase(waits.begin() + static_cast<std::ptrdiff_t>(i--));
    }
    if (waits[1].revents != 0) {
      SocketAddress peer;
      const int socket = ::accept4(listener_.get(), peer.get(), &peer.size, SOCK_CLOEXEC);
      say(socket, "from " + text_of(peer) + "\n");
      waits.push_back({socket, POLLIN, 0});
    }
  }
  for (size_t i = 2; i < waits.size(); ++i) ::close(waits[i].fd);
}

std::string seen_as(const std::string& space, const std::string& address, int port) {
  const auto connection = connect_from(space, address, port);
  if (connection.outcome != Outcome::connected || !readable(connection.socket.get(), 1000)) return {};
  std::array<char, 256> buffer{};
  const auto got = ::recv(connection.socket.get(), buffer.data(), buffer.size(), 0);
  std::string text(buffer.data(), got > 0 ? static_cast<size_t>(got) : 0);
  if (!text.starts_with("from ")) return {};
  return text.substr(5, text.find('\n') - 5);
}

// --- UDP ---

UdpSocket::UdpSocket(const std::string& space, int port) {
  inside(space, [&] {
    socket_ = Descriptor(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    auto address = socket_address("0.0.0.0", port);
    if (::bind(socket_.get(), address.get(), address.size) != 0) throw std::runtime_error("bind");
  });
}

void UdpSocket::send(const std::string& address, int port, const std::string& text) {
  auto target = socket_address(address, port);
  ::sendto(socket_.get(), text.data(), text.size(), 0, target.get(), target.size);
}

std::optional<std::string> UdpSocket::receive(int limit_ms) {
  if (!readable(socket_.get(), limit_ms)) return std::nullopt;
  std::array<char, 2048> buffer{};
  const auto got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (got < 0) return std::nullopt;
  return std::string(buffer.data(), static_cast<size_t>(got));
}

// --- guest ---

Guest::Guest(NetworkEngine& engine, const InterfaceSpec& interface, const std::string& name, bool configure)
    : interface_(interface), name_(name), stop_(::eventfd(0, EFD_CLOEXEC)) {
  auto tap = engine.open_tap(interface.vpc_id, interface.id);
  if (!tap) throw std::runtime_error(tap.error().message);
  tap_ = std::move(*tap);
  if (auto made = host::make_namespace(name); !made) throw std::runtime_error(made.error().message);
  inside(name, [&] {
    card_ = Descriptor(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
    ifreq request{};
    std::strcpy(request.ifr_name, "eth0");
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    if (::ioctl(card_.get(), TUNSETIFF, &request) != 0) throw std::runtime_error("guest card");
  });
  run_in(name, {"ip", "link", "set", "lo", "up"});
  run_in(name, {"ip", "link", "set", "eth0", "address", interface.mac, "up"});
  if (configure) {
    const auto range = *parse_ipv4_block(interface.subnet_cidr);
    run_in(name, {"ip", "addr", "add", interface.private_ip + "/" + std::to_string(range.prefix), "dev", "eth0"});
    run_in(name, {"ip", "route", "add", "default", "via", format_ipv4(range.base + 1)});
  }
  thread_ = std::thread([this] { pump(); });
}

Guest::~Guest() {
  signal_stop(stop_);
  thread_.join();
  card_.close();
  tap_.close();
  [[maybe_unused]] const auto removed = host::remove_namespace(name_);
}

void Guest::pump() {
  std::array<pollfd, 3> waits = {pollfd{stop_.get(), POLLIN, 0}, pollfd{tap_.get(), POLLIN, 0}, pollfd{card_.get(), POLLIN, 0}};
  std::vector<std::uint8_t> frame(frame_limit);
  while (::poll(waits.data(), waits.size(), -1) >= 0 && waits[0].revents == 0) {
    for (const auto& [from, to] : {std::pair(tap_.get(), card_.get()), std::pair(card_.get(), tap_.get())}) {
      for (ssize_t got = 0; (got = ::read(from, frame.data(), frame.size())) > 0;) {
        const auto* payload = frame.data() + vnet_header;
        if (watch_arp_ && from == tap_.get() && got > 32 && payload[12] == 8 && payload[13] == 6 && payload[21] == 2) arp_answer_ = true;
        [[maybe_unused]] const auto written = ::write(to, frame.data(), static_cast<size_t>(got));
      }
    }
  }
}

void Guest::send_frame(const std::vector<std::uint8_t>& frame) {
  std::vector<std::uint8_t> bytes(vnet_header);
  bytes.insert(bytes.end(), frame.begin(), frame.end());
  if (::write(tap_.get(), bytes.data(), bytes.size()) < 0) throw std::runtime_error("frame not taken");
}

std::string Guest::ask_arp(const std::string& sender_mac, const std::string& sender_ip, const std::string& target_ip) {
  std::vector<std::uint8_t> frame(42);
  copy_mac(frame.data(), "ff:ff:ff:ff:ff:ff");
  copy_mac(frame.data() + 6, sender_mac);
  put16(frame.data() + 12, 0x0806);
  put16(frame.data() + 14, 1);
  put16(frame.data() + 16, 0x0800);
  frame[18] = 6;
  frame[19] = 4;
  put16(frame.data() + 20, 1);
  copy_mac(frame.data() + 22, sender_mac);
  put32(frame.data() + 28, *parse_ipv4(sender_ip));
  put32(frame.data() + 38, *parse_ipv4(target_ip));
  arp_answer_ = false;
  watch_arp_ = true;
  send_frame(frame);
  for (int i = 0; i < 30 && !arp_answer_; ++i) std::this_thread::sleep_for(milliseconds(10));
  watch_arp_ = false;
  return arp_answer_ ? "answered" : "";
}

std::vector<std::uint8_t> udp_frame(const std::string& source_mac, const std::string& target_mac, const std::string& source,
                                    const std::string& target, int source_port, int target_port, const std::string& text) {
  std::vector<std::uint8_t> frame(42);
  copy_mac(frame.data(), target_mac);
  copy_mac(frame.data() + 6, source_mac);
  put16(frame.data() + 12, 0x0800);
  auto* ip = frame.data() + 14;
  ip[0] = 0x45;
  put16(ip + 2, static_cast<unsigned>(28 + text.size()));
  ip[8] = 64;
  ip[9] = 17;
  put32(ip + 12, *parse_ipv4(source));
  put32(ip + 16, *parse_ipv4(target));
  std::uint32_t sum = 0;
  for (size_t i = 0; i < 20; i += 2) sum += static_cast<std::uint32_t>(ip[i] << 8 | ip[i + 1]);
  while (sum > 0xFFFF) sum = (sum & 0xFFFF) + (sum >> 16);
  put16(ip + 10, ~sum & 0xFFFF);
  put16(ip + 20, static_cast<unsigned>(source_port));
  put16(ip + 22, static_cast<unsigned>(target_port));
  put16(ip + 24, static_cast<unsigned>(8 + text.size()));  // checksum 0: none
  frame.insert(frame.end(), text.begin(), text.end());
  return frame;
}

}  // namespace brume::network::test
