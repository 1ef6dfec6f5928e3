#include "engines/compute/event_loop.hpp"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

namespace brume::compute {

Result<std::unique_ptr<EventLoop>> EventLoop::make() {
  std::unique_ptr<EventLoop> loop(new EventLoop);
  loop->epoll_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
  loop->bell_ = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!loop->epoll_ || !loop->bell_) return fail_system("cannot make an event loop", errno);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = 0;
  if (::epoll_ctl(loop->epoll_.get(), EPOLL_CTL_ADD, loop->bell_.get(), &event) != 0)
    return fail_system("cannot make an event loop", errno);
  // The daemon's main thread handles signals.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  loop->thread_ = std::thread([raw = loop.get()] { raw->run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return loop;
}

Result<std::uint64_t> EventLoop::add(int descriptor, std::shared_ptr<Watcher> watcher) {
  std::uint64_t watch = 0;
  {
    const std::lock_guard lock(mutex_);
    watch = ++last_watch_;
    watchers_[watch] = std::move(watcher);
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = watch;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) == 0) return watch;
  const int code = errno;
  remove(-1, watch);
  return fail_system("cannot watch a descriptor", code);
}

void EventLoop::remove(int descriptor, std::uint64_t watch) {
  if (descriptor >= 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr);
  std::shared_ptr<Watcher> last;  // destroyed outside the lock
  const std::lock_guard lock(mutex_);
  const auto found = watchers_.find(watch);
  if (found == watchers_.end()) return;
  last = std::move(found->second);
  watchers_.erase(found);
}

void EventLoop::post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(task));
  }
  wake();
}

void EventLoop::every(milliseconds period, std::function<void()> task) {
  post([this, period, task = std::move(task)]() mutable {
    period_ = period;
    tick_ = std::move(task);
    next_tick_ = std::chrono::steady_clock::now() + period;
  });
}

void EventLoop::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake();
  thread_.join();
  std::map<std::uint64_t, std::shared_ptr<Watcher>> last;  // destroyed outside the lock
  const std::lock_guard lock(mutex_);
  last.swap(watchers_);
}

void EventLoop::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(bell_.get(), &one, sizeof one);
}

int EventLoop::time_to_tick() const {
  if (!tick_) return -1;
  const auto left = std::chrono::duration_cast<milliseconds>(next_tick_ - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left + 1, 0, 60'000));
}

void EventLoop::run_posted() {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(bell_.get(), &count, sizeof count);
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(posted_);
  }
  for (const auto& task : tasks) task();
}

void EventLoop::run_tick() {
  if (!tick_ || std::chrono::steady_clock::now() < next_tick_) return;
  tick_();
  next_tick_ = std::chrono::steady_clock::now() + period_;
}

void EventLoop::run() {
  ::pthread_setname_np(::pthread_self(), "compute");
  std::array<epoll_event, 64> events{};
  while (true) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), time_to_tick());
    for (int i = 0; i < count; ++i) {
      const auto watch = events[static_cast<size_t>(i)].data.u64;
      if (watch == 0) {
        run_posted();
        continue;
      }
      std::shared_ptr<Watcher> watcher;
      {
        const std::lock_guard lock(mutex_);
        const auto found = watchers_.find(watch);
        if (found != watchers_.end()) watcher = found->second;
      }
      if (watcher) watcher->ready();
    }
    run_tick();
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
  }
}

}  // namespace brume::compute
