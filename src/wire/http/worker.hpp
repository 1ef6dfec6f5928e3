// One thread of the HTTP server with its event loop, its connections, its deadlines and its timers.
// Everything of a connection happens on its worker's thread, so connections need no locks. Asio is included here:
// only files of src/wire/http include this header.
#pragma once

#include <atomic>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "wire/http/server.hpp"

namespace brume::wire {

namespace net = boost::asio;
using SteadyTime = std::chrono::steady_clock::time_point;
using Executor = net::io_context::executor_type;
using Timer = net::basic_waitable_timer<std::chrono::steady_clock, net::wait_traits<std::chrono::steady_clock>, Executor>;
// TCP and unix sockets alike: one type, so that the code above is compiled once.
using Socket = net::basic_stream_socket<net::generic::stream_protocol, Executor>;

class Connection;
class Endpoint;

// Counts living connections, so that stop() can wait for the last one.
class Population {
 public:
  void enter() { ++count_; }
  void leave() {
    if (--count_ > 0) return;
    const std::lock_guard lock(mutex_);
    empty_.notify_all();
  }
  void wait_until_empty(milliseconds limit) {
    std::unique_lock lock(mutex_);
    empty_.wait_for(lock, limit, [this] { return count_ == 0; });
  }

 private:
  std::atomic<long> count_ = 0;
  std::mutex mutex_;
  std::condition_variable empty_;
};

class Worker : public std::enable_shared_from_this<Worker> {
 public:
  explicit Worker(Population& population) : context_(1), guard_(context_.get_executor()), alarm_(context_), population_(&population) {}

  void start();
  // Aborts all connections and timers, accepts no more work and ends the thread.
  void end();

  net::io_context& context() { return context_; }
  bool is_current() const;

  // Runs `work` on this worker's thread; dropped (false) after end(). Threads: any.
  template <class Work>
  bool post(Work&& work) {
    const std::lock_guard lock(gate_);
    if (!open_) return false;
    net::post(context_, std::forward<Work>(work));
    return true;
  }
  void after(milliseconds delay, std::function<void()> work);

  // The rest is for this worker's thread only.
  void add(std::shared_ptr<Connection> connection);
  void remove(Connection& connection);
  // A connection's deadline has been set: be awake by then. Deadlines mostly move later, so there is one alarm for all connections, which
  // is reset only if a deadline comes before it; a request costs no timer operation.
  void wake_by(SteadyTime deadline) {
    if (deadline < alarm_time_) set_alarm(deadline);
  }
  // Closes connections of this endpoint (null: of all) on which no request is being handled or answered.
  void close_waiting(const Endpoint* endpoint);
  // "Sun, 06 Nov 1994 08:49:37 GMT", made once a second.
  std::string_view date();

 private:
  void set_alarm(SteadyTime time);
  void on_alarm();

  net::io_context context_;
  net::executor_work_guard<Executor> guard_;
  Timer alarm_;
  SteadyTime alarm_time_ = SteadyTime::max();
  std::vector<std::shared_ptr<Connection>> connections_;
  std::list<Timer> timers_;
  Population* population_;
  std::time_t date_second_ = 0;
  std::string date_;
  std::mutex gate_;
  bool open_ = true;
  std::thread thread_;
};

}  // namespace brume::wire
