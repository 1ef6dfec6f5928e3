#include "state/replica.hpp"

#include <malloc.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "state/codec.hpp"
#include "state/kinds.hpp"
#include "state/loading.hpp"
#include "state/published.hpp"

namespace brume::state {
namespace {

// Appends that the log's sink has delivered and that are not applied yet.
class Inbox {
 public:
  // Threads of the log.
  void receive(const LogBatchPointer& batch) noexcept;
  void call_on_arrival(std::function<void()> arrived) {
    const std::lock_guard lock(mutex_);
    arrived_ = std::move(arrived);
  }

  struct Arrived {
    std::deque<LogBatchPointer> batches;
    bool gap = false;  // something was lost: the log must be read again
  };
  Arrived take() {
    const std::lock_guard lock(mutex_);
    return {std::exchange(batches_, {}), std::exchange(gap_, false)};
  }
  // Waits for a batch above `version`, for a gap or for `end`. False: none of them arrived within the limit.
  bool wait_for_newer_than(std::uint64_t version, std::optional<std::chrono::milliseconds> limit);
  void end();
  bool ended() const {
    const std::lock_guard lock(mutex_);
    return ended_;
  }

 private:
  mutable std::mutex mutex_;  // guards all below; held while arrived_ runs, which only wakes a thread
  std::condition_variable changed_;
  std::deque<LogBatchPointer> batches_;
  bool gap_ = false;
  bool ended_ = false;
  std::function<void()> arrived_;
};

void Inbox::receive(const LogBatchPointer& batch) noexcept {
  const std::lock_guard lock(mutex_);
  try {
    if (batch == nullptr || batches_.size() >= Replica::inbox_limit)
      gap_ = true;
    else
      batches_.push_back(batch);
  } catch (const std::exception&) {
    gap_ = true;  // out of memory
  }
  if (gap_) batches_.clear();
  changed_.notify_all();
  if (arrived_) arrived_();
}

bool Inbox::wait_for_newer_than(std::uint64_t version, std::optional<std::chrono::milliseconds> limit) {
  std::unique_lock lock(mutex_);
  const auto is_here = [&] { return ended_ || gap_ || (!batches_.empty() && batches_.back()->version > version); };
  if (limit) return changed_.wait_for(lock, *limit, is_here);
  changed_.wait(lock, is_here);
  return true;
}

void Inbox::end() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

}  // namespace

class Replica::Implementation {
 public:
  Implementation(std::shared_ptr<Log> log) : log_(std::move(log)), published_(std::make_shared<const World>()) {}
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;
  ~Implementation() {
    inbox_.end();
    if (follower_.joinable()) follower_.join();
    watch_.reset();
  }

  Result<void> start();
  void follow();
  Result<void> apply_arrived();
  void publish(World world, std::uint64_t version, std::vector<Change> changes) noexcept;
  std::uint64_t add_watcher(std::function<void(const Commit&)> watcher);
  void remove_watcher(std::uint64_t number);

  std::shared_ptr<Log> log_;
  Inbox inbox_;
  Published<World> published_;

 private:
  struct Watcher {
    std::uint64_t number;
    std::function<void(const Commit&)> call;
    bool active = true;
  };

  Result<World> load();
  Result<void> apply(const LogBatch& batch);
  Result<void> reload();
  static std::vector<Change> differences(const World& before, const World& after);

  // Only the thread that applies touches it.
  std::optional<Error> broken_;

  // Held while watchers are called, so that unwatch can promise that none is called afterwards; recursive, because a watcher may unwatch.
  std::recursive_mutex watchers_mutex_;
  std::vector<std::shared_ptr<Watcher>> watchers_;
  std::uint64_t next_watcher_ = 1;

  std::unique_ptr<LogWatch> watch_;
  std::thread follower_;
};

Result<World> Replica::Implementation::load() {
  World world;
  const auto version = load_records(*log_, [&world](Kind kind, std::string_view key, std::shared_ptr<const void> record) {
    world.put_unindexed(kind, key, std::move(record));
  });
  if (!version) return brume::fail(version.error());
  world.index_all();
  world.version_ = *version;
  ::malloc_trim(0);  // what reading left behind
  return world;
}

// Another append may happen between reading and watching; then the log is read again.
Result<void> Replica::Implementation::start() {
  constexpr int tries = 20;
  for (int i = 0;; ++i) {
    auto world = load();
    if (!world) return brume::fail(world.error());
    auto watch = log_->watch(world->version(), [this](const LogBatchPointer& batch) { inbox_.receive(batch); });
    if (watch) {
      published_.store(std::make_shared<const World>(*world));
      watch_ = std::move(*watch);
      return {};
    }
    if (watch.error().kind != ErrorKind::not_found || i == tries) return brume::fail(watch.error());
  }
}

void Replica::Implementation::follow() {
  follower_ = std::thread([this] {
    while (!inbox_.ended()) {
      if (const auto applied = apply_arrived(); !applied) {
        log::error("state", "the log cannot be followed any more: {}", applied.error().message);
        return;
      }
      inbox_.wait_for_newer_than(published_.load()->version(), std::nullopt);
    }
  });
}

Result<void> Replica::Implementation::apply_arrived() {
  if (broken_) return brume::fail(*broken_);
  Result<void> done;
  try {
    const auto arrived = inbox_.take();
    if (arrived.gap) done = reload();
    for (const auto& batch : arrived.batches)
      if (done && batch->version > published_.load()->version()) done = apply(*batch);
  } catch (const std::exception& failure) {
    log::error("state", "what others wrote to the log could not be applied: {}", failure.what());
    inbox_.receive(nullptr);  // out of memory: all is read again, later
  }
  if (!done) broken_ = done.error();
  return done;
}

Result<void> Replica::Implementation::apply(const LogBatch& batch) {
  World world = *published_.load();
  std::vector<Change> changes;
  for (const auto& write : batch.writes) {
    const auto slash = write.key.find('/');
    const auto kind = kind_named(std::string_view(write.key).substr(0, slash));
    if (slash == std::string::npos || !kind) {
      log::warning("state", "the entry {} is of an unknown kind and left alone; a newer Brume wrote it", write.key);
      continue;
    }
    Change change{*kind, write.key.substr(slash + 1), nullptr, nullptr};
    if (write.value) {
      auto record = decode(*kind, *write.value);
      if (!record) return brume::fail(record.error().within("entry " + write.key + " of the log"));
      change.after = std::move(*record);
    }
    change.before = world.set(*kind, change.key, change.after);
    if (change.before || change.after) changes.push_back(std::move(change));
  }
  publish(std::move(world), batch.version, std::move(changes));
  return {};
}

Result<void> Replica::Implementation::reload() {
  log::warning("state", "too much of the log was missed: all of it is read again");
  auto world = load();
  if (!world) return brume::fail(world.error());
  const auto before = published_.load();
  if (world->version() <= before->version()) return {};
  const auto version = world->version();
  auto changes = differences(*before, *world);
  publish(std::move(*world), version, std::move(changes));
  return {};
}

std::vector<Change> Replica::Implementation::differences(const World& before, const World& after) {
  std::vector<Change> changes;
  for (size_t i = 0; i < static_cast<size_t>(Kind::count); ++i) {
    const auto kind = static_cast<Kind>(i);
    auto old = before.map(kind).seek({}, {});
    auto now = after.map(kind).seek({}, {});
    while (old.valid() || now.valid()) {
      const bool takes_old = old.valid() && (!now.valid() || old.key() <= now.key());
      const bool takes_now = now.valid() && (!old.valid() || now.key() <= old.key());
      Change change{kind, std::string(takes_old ? old.key() : now.key()), nullptr, nullptr};
      if (takes_old) change.before = old.shared_value();
      if (takes_now) change.after = now.shared_value();
      if (takes_old) old.next();
      if (takes_now) now.next();
      const bool is_same = change.before && change.after && encode(kind, change.before.get()) == encode(kind, change.after.get());
      if (!is_same) changes.push_back(std::move(change));
    }
  }
  return changes;
}

void Replica::Implementation::publish(World world, std::uint64_t version, std::vector<Change> changes) noexcept {
  world.version_ = version;
  const Commit commit{std::make_shared<const World>(std::move(world)), std::move(changes)};
  published_.store(commit.world);
  const std::lock_guard lock(watchers_mutex_);
  const auto watchers = watchers_;
  for (const auto& watcher : watchers) {
    if (!watcher->active) continue;
    // Exceptions of callbacks must not end this thread.
    try {
      watcher->call(commit);
    } catch (const std::exception& failure) {
      log::error("state", "a watcher failed: {}", failure.what());
    } catch (...) {
      log::error("state", "a watcher failed");
    }
  }
}

std::uint64_t Replica::Implementation::add_watcher(std::function<void(const Commit&)> watcher) {
  const std::lock_guard lock(watchers_mutex_);
  watchers_.push_back(std::make_shared<Watcher>(Watcher{next_watcher_, std::move(watcher)}));
  return next_watcher_++;
}

void Replica::Implementation::remove_watcher(std::uint64_t number) {
  const std::lock_guard lock(watchers_mutex_);
  std::erase_if(watchers_, [number](const auto& watcher) {
    if (watcher->number != number) return false;
    watcher->active = false;
    return true;
  });
}

Result<std::unique_ptr<Replica>> Replica::open(std::shared_ptr<Log> log) {
  auto implementation = std::make_unique<Implementation>(std::move(log));
  if (auto started = implementation->start(); !started) return brume::fail(started.error());
  return std::unique_ptr<Replica>(new Replica(std::move(implementation)));
}

Replica::Replica(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}
Replica::~Replica() = default;

WorldPointer Replica::world() const { return implementation_->published_.load(); }
std::uint64_t Replica::watch(std::function<void(const Commit&)> watcher) { return implementation_->add_watcher(std::move(watcher)); }
void Replica::unwatch(std::uint64_t watcher) { implementation_->remove_watcher(watcher); }
void Replica::follow() { implementation_->follow(); }

Log& Replica::log() const { return *implementation_->log_; }
void Replica::call_on_arrival(std::function<void()> arrived) { implementation_->inbox_.call_on_arrival(std::move(arrived)); }
Result<void> Replica::apply_arrived() { return implementation_->apply_arrived(); }
bool Replica::wait_for_newer_than(std::uint64_t version, std::chrono::milliseconds limit) {
  return implementation_->inbox_.wait_for_newer_than(version, limit);
}
void Replica::publish(World world, std::uint64_t version, std::vector<Change> changes) noexcept {
  implementation_->publish(std::move(world), version, std::move(changes));
}

}  // namespace brume::state
