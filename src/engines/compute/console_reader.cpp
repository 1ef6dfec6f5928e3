#include "engines/compute/console_reader.hpp"

#include <pthread.h>

#include <algorithm>
#include <csignal>

namespace brume::compute {

ConsoleReader::ConsoleReader(milliseconds period, Parts parts) : period_(period), parts_(std::move(parts)) {
  // The daemon's main thread handles signals.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void ConsoleReader::ended(std::shared_ptr<Machine> machine) {
  const std::lock_guard lock(mutex_);
  ended_.push_back(std::move(machine));
  changed_.notify_all();
}

bool ConsoleReader::finish(const std::string& id, milliseconds limit) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, limit, [&] { return reading_ != id; })) return false;
  const auto found = std::find_if(ended_.begin(), ended_.end(), [&](const auto& machine) { return machine->id() == id; });
  if (found == ended_.end()) return true;
  const auto machine = *found;
  ended_.erase(found);
  lock.unlock();
  parts_.look_last(*machine);
  return true;
}

void ConsoleReader::look_at(std::unique_lock<std::mutex>& lock, Machine& machine, const std::function<void(Machine&)>& look) {
  reading_ = machine.id();
  lock.unlock();
  look(machine);
  lock.lock();
  reading_.clear();
  changed_.notify_all();
}

void ConsoleReader::look_at_ended(std::unique_lock<std::mutex>& lock) {
  while (!ended_.empty()) {
    const auto machine = ended_.front();
    ended_.pop_front();
    look_at(lock, *machine, parts_.look_last);
  }
}

void ConsoleReader::run() {
  ::pthread_setname_np(::pthread_self(), "consoles");
  std::unique_lock lock(mutex_);
  auto next = std::chrono::steady_clock::now() + period_;
  while (!stopping_) {
    if (!changed_.wait_until(lock, next, [this] { return stopping_ || !ended_.empty(); })) {
      lock.unlock();
      const auto machines = parts_.machines();
      lock.lock();
      for (const auto& machine : machines) {
        if (stopping_) break;
        look_at_ended(lock);  // somebody may be waiting to remove its folder
        // If it has ended meanwhile, its last reading has happened before, or is still to come.
        if (!machine->ended()) look_at(lock, *machine, parts_.look);
      }
      lock.unlock();
      parts_.round();
      lock.lock();
      next = std::chrono::steady_clock::now() + period_;
    }
    look_at_ended(lock);
  }
}

void ConsoleReader::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace brume::compute
