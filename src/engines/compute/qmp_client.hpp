// A connection to one QEMU's monitor. Commands wait for their reply with a time limit; events come on the event loop's thread.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/descriptor.hpp"
#include "base/result.hpp"
#include "engines/compute/event_loop.hpp"
#include "engines/compute/qmp_message.hpp"

namespace brume::compute {

// Connects to a listening unix socket, however long its path is.
Result<Descriptor> connect_unix(const std::string& path);
// A listening unix socket at `path` that only our user may connect to; an existing file there is removed.
Result<Descriptor> listen_unix(const std::string& path);

// Threads: execute and greet may be called from any thread except the loop's; post and close from any.
class QmpClient final : public Watcher, public std::enable_shared_from_this<QmpClient> {
 public:
  using EventHandler = std::function<void(const QmpMessage&)>;

  // `on_event` runs on the loop's thread and must not wait. It gets events, and replies that nobody waits for. Ids of commands begin after
  // `last_id`. QEMU sends replies to commands of a broken connection to the next one, so ids must never repeat, not even after a killed
  // daemon.
  static Result<std::shared_ptr<QmpClient>> open(EventLoop& loop, Descriptor socket, EventHandler on_event,
                                                 std::uint64_t last_id = unused_ids());
  QmpClient(EventLoop& loop, Descriptor socket, EventHandler on_event, std::uint64_t last_id);  // for open
  ~QmpClient() override;

  // Waits for QEMU's greeting and ends the negotiation. Call once, first.
  Result<void> greet(milliseconds limit);
  // Runs a command and waits for its reply. Errors: refused (QEMU's own sentence), timed_out, broken (the connection ended). `handed_over`:
  // a descriptor to send along (getfd).
  Result<QmpMessage> execute(std::string_view name, std::string_view arguments = {}, milliseconds limit = seconds(10),
                             int handed_over = -1);
  // Sends a command and does not wait; its reply goes to the event handler. May be lost if QEMU does not read, so repeat what matters.
  void post(std::string_view name, std::string_view arguments = {});

  // Processes what QEMU has sent so far, events included. On the loop's thread only.
  void ready() override;
  bool closed() const;
  // True: the other end has hung up within the limit.
  bool wait_until_closed(milliseconds limit);
  void close();

 private:
  struct Pending {
    bool done = false;
    Result<QmpMessage> result = QmpMessage{};
  };

  // One command at a time: waits for its turn, then for the socket.
  static std::uint64_t unused_ids();
  Result<void> send(std::string_view line, int handed_over, std::chrono::steady_clock::time_point turn,
                    std::chrono::steady_clock::time_point deadline);
  Result<void> write(std::string_view line, int handed_over, std::chrono::steady_clock::time_point deadline);
  bool read_available();  // false: at the end
  void take_lines();
  void take(QmpMessage message);
  void break_off(const std::string& why);

  EventLoop& loop_;
  const EventHandler on_event_;
  const Descriptor socket_;  // shut down by close, closed when the last user releases it
  std::uint64_t watch_ = 0;
  std::string received_;  // used by the loop's thread only
  size_t searched_ = 0;   // up to here received_ has no line end

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<std::uint64_t, Pending> pending_;
  std::uint64_t last_id_;
  bool sending_ = false;
  bool greeted_ = false;
  bool closed_ = false;
  std::string why_closed_;
};

}  // namespace brume::compute
