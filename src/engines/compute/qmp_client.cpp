#include "engines/compute/qmp_client.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace brume::compute {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

// A socket's path may have 107 bytes, a home more: so the folder is opened and addressed by its descriptor.
struct ShortAddress {
  Descriptor folder;
  sockaddr_un address{};
};

Result<ShortAddress> make_address(const std::string& path) {
  const std::filesystem::path whole(path);
  ShortAddress made;
  made.folder = Descriptor(::open(whole.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!made.folder) return fail_system("cannot open " + whole.parent_path().string(), errno);
  const auto text = "/proc/self/fd/" + std::to_string(made.folder.get()) + "/" + whole.filename().string();
  if (text.size() >= sizeof made.address.sun_path) return fail(ErrorKind::invalid, "the socket name " + path + " is too long");
  made.address.sun_family = AF_UNIX;
  std::memcpy(made.address.sun_path, text.c_str(), text.size() + 1);
  return made;
}

int left_until(SteadyTime deadline) {
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

// One sendmsg with the descriptor beside the first bytes.
ssize_t send_some(int socket, std::string_view text, int handed_over) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (handed_over >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &handed_over, sizeof handed_over);
  }
  return ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

Result<Descriptor> connect_unix(const std::string& path) {
  auto address = make_address(path);
  if (!address) return fail(address.error());
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_system("cannot make a socket", errno);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address->address), sizeof address->address) != 0)
    return fail_system("cannot connect to " + path, errno);
  return socket;
}

Result<Descriptor> listen_unix(const std::string& path) {
  auto address = make_address(path);
  if (!address) return fail(address.error());
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_system("cannot make a socket", errno);
  ::unlink(path.c_str());
  // The mode is set before anybody can connect: a socket that does not listen yet refuses.
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address->address), sizeof address->address) != 0 ||
      ::chmod(path.c_str(), 0600) != 0 || ::listen(socket.get(), 4) != 0)
    return fail_system("cannot listen at " + path, errno);
  return socket;
}

QmpClient::QmpClient(EventLoop& loop, Descriptor socket, EventHandler on_event, std::uint64_t last_id)
    : loop_(loop), on_event_(std::move(on_event)), socket_(std::move(socket)), last_id_(last_id) {}

QmpClient::~QmpClient() = default;

// Nanoseconds since the host's boot: no connection runs commands as fast as that.
std::uint64_t QmpClient::unused_ids() {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
}

Result<std::shared_ptr<QmpClient>> QmpClient::open(EventLoop& loop, Descriptor socket, EventHandler on_event, std::uint64_t last_id) {
  ::fcntl(socket.get(), F_SETFL, ::fcntl(socket.get(), F_GETFL) | O_NONBLOCK);
  auto client = std::make_shared<QmpClient>(loop, std::move(socket), std::move(on_event), last_id);
  // Held during the registration: the loop's thread may read at once, and break_off must see the watch's number.
  const std::lock_guard lock(client->mutex_);
  auto watch = loop.add(client->socket_.get(), client);
  if (!watch) return fail(watch.error());
  client->watch_ = *watch;
  return client;
}

Result<void> QmpClient::greet(milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, deadline, [&] { return greeted_ || closed_; });
    if (closed_) return fail(ErrorKind::broken, why_closed_);
    if (!greeted_) return fail(ErrorKind::timed_out, "QEMU's monitor did not greet within " + std::to_string(limit.count()) + " ms");
  }
  if (auto left = execute("qmp_capabilities", {}, milliseconds(left_until(deadline))); !left) return fail(left.error());
  return {};
}

Result<QmpMessage> QmpClient::execute(std::string_view name, std::string_view arguments, milliseconds limit, int handed_over) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return fail(ErrorKind::broken, why_closed_);
    id = ++last_id_;
    pending_[id];
  }
  const auto sent = send(qmp_command(name, arguments, id), handed_over, deadline, deadline);
  std::unique_lock lock(mutex_);
  if (sent) changed_.wait_until(lock, deadline, [&] { return pending_[id].done || closed_; });
  const auto outcome = std::move(pending_[id]);
  pending_.erase(id);
  if (outcome.done) return outcome.result;
  if (!sent) return fail(sent.error());
  if (closed_) return fail(ErrorKind::broken, why_closed_);
  return fail(ErrorKind::timed_out, "QEMU did not answer " + std::string(name) + " within " + std::to_string(limit.count()) + " ms");
}

void QmpClient::post(std::string_view name, std::string_view arguments) {
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    id = ++last_id_;
  }
  // Another thread's turn takes microseconds, unless QEMU does not read; then waiting is no use.
  const auto now = std::chrono::steady_clock::now();
  [[maybe_unused]] const auto sent = send(qmp_command(name, arguments, id), -1, now + milliseconds(5), now);
}

Result<void> QmpClient::send(std::string_view line, int handed_over, SteadyTime turn, SteadyTime deadline) {
  {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_until(lock, turn, [&] { return !sending_ || closed_; }))
      return fail(ErrorKind::timed_out, "QEMU's monitor does not read");
    if (closed_) return fail(ErrorKind::broken, why_closed_);
    sending_ = true;
  }
  auto written = write(line, handed_over, deadline);
  const std::lock_guard lock(mutex_);
  sending_ = false;
  changed_.notify_all();
  return written;
}

Result<void> QmpClient::write(std::string_view line, int handed_over, SteadyTime deadline) {
  bool begun = false;
  while (!line.empty()) {
    const auto done = send_some(socket_.get(), line, begun ? -1 : handed_over);
    if (done > 0) {
      line.remove_prefix(static_cast<size_t>(done));
      begun = true;
      continue;
    }
    if (done < 0 && errno == EINTR) continue;
    if (errno != EAGAIN) return fail_system("cannot write to QEMU's monitor", errno);
    pollfd wait{socket_.get(), POLLOUT, 0};
    const int left = left_until(deadline);
    if (left > 0 && ::poll(&wait, 1, left) != 0) continue;
    // Half a line cannot be taken back.
    if (begun) close();
    return fail(ErrorKind::timed_out, "QEMU's monitor does not read");
  }
  return {};
}

bool QmpClient::read_available() {
  char buffer[16384];
  // A bounded turn, so that one talkative machine does not keep others waiting.
  for (int turn = 0; turn < 64; ++turn) {
    const auto got = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) return false;
    received_.append(buffer, static_cast<size_t>(got));
    take_lines();
    if (received_.size() > qmp_line_limit) {
      break_off("QEMU's monitor sent a line that is too long");
      return true;
    }
  }
  return true;
}

void QmpClient::take_lines() {
  size_t start = 0;
  while (true) {
    const auto end = received_.find('\n', std::max(start, searched_));
    if (end == std::string::npos) break;
    const std::string_view line(received_.data() + start, end - start);
    start = end + 1;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    auto message = parse_qmp(line);
    if (!message) {
      break_off(message.error().message);
      return;
    }
    take(std::move(*message));
  }
  received_.erase(0, start);
  searched_ = received_.size();
}

void QmpClient::take(QmpMessage message) {
  if (message.kind == QmpMessage::Kind::event) {
    if (on_event_) on_event_(message);
    return;
  }
  std::unique_lock lock(mutex_);
  if (message.kind == QmpMessage::Kind::greeting) {
    greeted_ = true;
  } else if (const auto found = pending_.find(message.id); found != pending_.end()) {
    found->second.done = true;
    if (message.kind == QmpMessage::Kind::error)
      found->second.result = fail(ErrorKind::refused, message.description);
    else
      found->second.result = std::move(message);
  } else if (message.kind == QmpMessage::Kind::reply) {
    lock.unlock();
    if (on_event_) on_event_(message);
    return;
  }
  changed_.notify_all();
}

void QmpClient::ready() {
  if (closed()) return;
  if (!read_available()) break_off("QEMU closed its monitor");
}

bool QmpClient::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

bool QmpClient::wait_until_closed(milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [&] { return closed_; });
}

void QmpClient::close() { break_off("the connection to QEMU's monitor was closed"); }

void QmpClient::break_off(const std::string& why) {
  std::uint64_t watch = 0;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
    why_closed_ = why;
    watch = watch_;
    changed_.notify_all();
  }
  ::shutdown(socket_.get(), SHUT_RDWR);
  loop_.remove(socket_.get(), watch);
}

}  // namespace brume::compute
