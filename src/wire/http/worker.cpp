#include "wire/http/worker.hpp"

#include <pthread.h>

#include <csignal>
#include <ctime>
#include <exception>

#include "base/log.hpp"
#include "wire/http/connection.hpp"
#include "wire/http/http_date.hpp"

namespace brume::wire {
namespace {
thread_local const Worker* current_worker = nullptr;
}

bool Worker::is_current() const { return current_worker == this; }

void Worker::start() {
  // The main thread handles signals.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "http");
    current_worker = this;
    while (true) {
      try {
        context_.run();
        break;
      } catch (const std::exception& error) {
        // A failure of one connection (no memory) does not affect the others.
        log::error("http", "an event failed: {}", error.what());
      }
    }
    current_worker = nullptr;
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Worker::end() {
  {
    const std::lock_guard lock(gate_);
    open_ = false;
    net::post(context_, [this] {
      while (!connections_.empty()) std::shared_ptr(connections_.back())->close();
      timers_.clear();
      alarm_.cancel();
      guard_.reset();
    });
  }
  if (thread_.joinable()) thread_.join();
}

void Worker::after(milliseconds delay, std::function<void()> work) {
  post([this, delay, work = std::move(work)]() mutable {
    const auto timer = timers_.emplace(timers_.end(), context_);
    timer->expires_after(delay);
    timer->async_wait([this, timer, work = std::move(work)](const boost::system::error_code& code) {
      if (code) return;  // end() has dropped the timer
      timers_.erase(timer);
      try {
        work();
      } catch (const std::exception& error) {
        log::error("http", "timed work failed: {}", error.what());
      }
    });
  });
}

void Worker::add(std::shared_ptr<Connection> connection) {
  population_->enter();
  connection->index = connections_.size();
  connections_.push_back(std::move(connection));
}

void Worker::remove(Connection& connection) {
  const size_t index = connection.index;
  std::swap(connections_[index], connections_.back());
  connections_[index]->index = index;
  const auto last = std::move(connections_.back());
  connections_.pop_back();
  population_->leave();
}

void Worker::close_waiting(const Endpoint* endpoint) {
  // From the end, because a closed connection is replaced by the last one, which has been visited.
  for (size_t i = connections_.size(); i-- > 0;) {
    const auto connection = connections_[i];
    if ((endpoint == nullptr || &connection->endpoint() == endpoint) && connection->waits_for_request()) connection->close();
  }
}

void Worker::set_alarm(SteadyTime time) {
  alarm_time_ = time;
  alarm_.expires_at(time);
  alarm_.async_wait([this](const boost::system::error_code& code) {
    if (!code) on_alarm();
  });
}

void Worker::on_alarm() {
  const auto now = std::chrono::steady_clock::now();
  for (size_t i = connections_.size(); i-- > 0;) {
    const auto connection = connections_[i];
    if (connection->deadline() <= now) connection->on_deadline();
  }
  auto next = SteadyTime::max();
  for (const auto& connection : connections_) next = std::min(next, connection->deadline());
  alarm_time_ = SteadyTime::max();
  if (next != SteadyTime::max()) set_alarm(next);
}

std::string_view Worker::date() {
  const std::time_t second = std::time(nullptr);
  if (second != date_second_) {
    date_ = http_date(second);
    date_second_ = second;
  }
  return date_;
}

}  // namespace brume::wire
