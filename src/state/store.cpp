#include "state/store.hpp"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/log.hpp"
#include "state/codec.hpp"
#include "state/kinds.hpp"
#include "state/loading.hpp"
#include "state/published.hpp"

namespace brume::state {
namespace {

struct Pending {
  Decision decision;
  Settled settled;
  std::exception_ptr failure;
};

// The changes of a group of decisions, one for each key.
class GroupChanges {
 public:
  void add(Change change) {
    const auto [place, is_new] = places_.try_emplace(log_key(change.kind, change.key), changes_.size());
    if (is_new)
      changes_.push_back(std::move(change));
    else
      changes_[place->second].after = std::move(change.after);
  }
  // Without what came and went within the group.
  std::vector<Change> take() {
    std::erase_if(changes_, [](const Change& change) { return !change.before && !change.after; });
    places_.clear();
    return std::move(changes_);
  }

 private:
  std::vector<Change> changes_;
  std::unordered_map<std::string, size_t> places_;
};

std::vector<LogWrite> writes_of(const std::vector<Change>& changes) {
  std::vector<LogWrite> writes;
  writes.reserve(changes.size());
  for (const auto& change : changes) {
    LogWrite write{log_key(change.kind, change.key), std::nullopt};
    if (change.after) write.value = encode(change.kind, change.after.get());
    writes.push_back(std::move(write));
  }
  return writes;
}

// What is called for others must not end the writer.
template <class Function, class... Arguments>
void call_safely(std::string_view what, const Function& function, Arguments&&... arguments) {
  try {
    if (function) function(std::forward<Arguments>(arguments)...);
  } catch (const std::exception& failure) {
    log::error("state", "{} failed: {}", what, failure.what());
  } catch (...) {
    log::error("state", "{} failed", what);
  }
}

}  // namespace

void Transaction::put_erased(Kind kind, std::string key, std::shared_ptr<const void> record) {
  // Room first: after set() nothing may fail, or the decision could keep a change that the log does not get.
  changes_.emplace_back();
  Change& change = changes_.back();
  change.kind = kind;
  change.after = record;
  change.before = world_.set(kind, key, std::move(record));
  change.key = std::move(key);
  if (!change.before && !change.after) changes_.pop_back();
}

class Store::Implementation {
 public:
  Implementation(std::unique_ptr<Log> log, const Clock& clock, Random& random, World world)
      : log_(std::move(log)),
        clock_(clock),
        random_(random),
        working_(std::move(world)),
        published_(std::make_shared<const World>(working_)) {
    writer_ = std::thread([this] { run(); });
  }
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;
  ~Implementation() { stop(); }

  WorldPointer world() const { return published_.load(); }
  void submit(Decision decision, Settled settled, Urgency urgency);
  void stop();
  std::uint64_t watch(std::function<void(const Commit&)> watcher);
  void unwatch(std::uint64_t watcher);
  bool on_writer() const { return std::this_thread::get_id() == writer_id_.load(std::memory_order_relaxed); }

 private:
  struct Watcher {
    std::uint64_t number;
    std::function<void(const Commit&)> call;
    bool active = true;
  };

  void run();
  std::deque<Pending> take_group();
  void settle_group(std::deque<Pending> group);
  std::vector<Change> decide(Pending& pending);
  bool make_durable(std::deque<Pending>& group, std::vector<Change>& changes);
  // noexcept: out of memory here is the end of the process, for the log has what readers would not see. A restart finds it.
  void publish(std::vector<Change> changes) noexcept;

  // Only the writer thread touches these.
  std::unique_ptr<Log> log_;
  const Clock& clock_;
  Random& random_;
  World working_;

  Published<World> published_;

  std::mutex queue_mutex_;
  std::condition_variable queue_changed_;
  std::deque<Pending> queue_;
  std::optional<std::chrono::steady_clock::time_point> due_;  // when the queue has to be taken; none: it is empty
  bool stopping_ = false;

  // Held while watchers are called, so that unwatch can promise that none is called afterwards; recursive, for a watcher may unwatch.
  std::recursive_mutex watchers_mutex_;
  std::vector<std::shared_ptr<Watcher>> watchers_;
  std::uint64_t next_watcher_ = 1;

  std::mutex stop_mutex_;
  std::atomic<std::thread::id> writer_id_{};
  std::thread writer_;
};

void Store::Implementation::submit(Decision decision, Settled settled, Urgency urgency) {
  {
    const std::lock_guard lock(queue_mutex_);
    if (stopping_ || queue_.size() >= queue_limit) throw Overloaded();
    queue_.push_back({std::move(decision), std::move(settled), nullptr});
    auto due = std::chrono::steady_clock::now();
    if (urgency == Urgency::soon) due += company_wait;
    due_ = due_ ? std::min(*due_, due) : due;
  }
  queue_changed_.notify_one();
}

std::deque<Pending> Store::Implementation::take_group() {
  std::unique_lock lock(queue_mutex_);
  const auto is_due = [this] { return stopping_ || (due_ && *due_ <= std::chrono::steady_clock::now()); };
  while (!is_due()) {
    if (due_)
      queue_changed_.wait_until(lock, *due_);
    else
      queue_changed_.wait(lock);
  }
  if (queue_.size() <= group_limit) {
    due_.reset();
    return std::exchange(queue_, {});
  }
  std::deque<Pending> group;
  for (size_t i = 0; i < group_limit; ++i) {
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return group;
}

void Store::Implementation::run() {
  writer_id_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  while (true) {
    auto group = take_group();
    if (group.empty()) return;
    settle_group(std::move(group));
  }
}

void Store::Implementation::settle_group(std::deque<Pending> group) {
  std::vector<Change> changes;
  bool durable = false;
  try {
    GroupChanges merged;
    for (auto& pending : group)
      for (auto& change : decide(pending)) merged.add(std::move(change));
    changes = merged.take();
    if (!changes.empty()) durable = make_durable(group, changes);
  } catch (const std::exception& failure) {
    // Out of memory between decision and log: nothing was written.
    log::error("state", "a group of {} decisions failed: {}", group.size(), failure.what());
    working_ = *published_.load();
    for (auto& pending : group) pending.failure = std::make_exception_ptr(LogFailure({ErrorKind::exhausted, failure.what()}));
  }
  if (durable) publish(std::move(changes));
  for (auto& pending : group) {
    call_safely("the end of a decision", pending.settled, std::exchange(pending.failure, nullptr));
    pending = {};  // what the caller bound is gone once it is told
  }
}

std::vector<Change> Store::Implementation::decide(Pending& pending) {
  const World before = working_;
  Transaction transaction(working_, clock_.now(), random_);
  try {
    pending.decision(transaction);
    return std::move(transaction.changes_);
  } catch (...) {
    pending.failure = std::current_exception();
    working_ = before;
    return {};
  }
}

bool Store::Implementation::make_durable(std::deque<Pending>& group, std::vector<Change>& changes) {
  const auto version = log_->append(writes_of(changes));
  if (version) {
    working_.version_ = *version;
    return true;
  }
  log::error("state", "{} decisions taken back: {}", group.size(), version.error().message);
  working_ = *published_.load();
  // Those that threw too: what they complained of may have been another decision of the group.
  for (auto& pending : group) pending.failure = std::make_exception_ptr(LogFailure(version.error()));
  return false;
}

void Store::Implementation::publish(std::vector<Change> changes) noexcept {
  const Commit commit{std::make_shared<const World>(working_), std::move(changes)};
  published_.store(commit.world);
  const std::lock_guard lock(watchers_mutex_);
  const auto watchers = watchers_;
  for (const auto& watcher : watchers)
    if (watcher->active) call_safely("a watcher", watcher->call, commit);
}

std::uint64_t Store::Implementation::watch(std::function<void(const Commit&)> watcher) {
  const std::lock_guard lock(watchers_mutex_);
  watchers_.push_back(std::make_shared<Watcher>(Watcher{next_watcher_, std::move(watcher)}));
  return next_watcher_++;
}

void Store::Implementation::unwatch(std::uint64_t number) {
  const std::lock_guard lock(watchers_mutex_);
  std::erase_if(watchers_, [number](const auto& watcher) {
    if (watcher->number != number) return false;
    watcher->active = false;
    return true;
  });
}

void Store::Implementation::stop() {
  {
    const std::lock_guard lock(queue_mutex_);
    stopping_ = true;
  }
  queue_changed_.notify_one();
  const std::lock_guard lock(stop_mutex_);
  if (writer_.joinable()) writer_.join();
}

Result<std::unique_ptr<Store>> Store::open(std::unique_ptr<Log> log, const Clock& clock, Random& random) {
  World world;
  world.version_ = log->version();
  const auto loaded = load_records(*log, [&world](Kind kind, std::string_view key, std::shared_ptr<const void> record) {
    world.put_unindexed(kind, key, std::move(record));
  });
  if (!loaded) return brume::fail(loaded.error());
  world.index_all();
  ::malloc_trim(0);  // what reading left behind
  return std::unique_ptr<Store>(new Store(std::make_unique<Implementation>(std::move(log), clock, random, std::move(world))));
}

Store::Store(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}
Store::~Store() = default;

WorldPointer Store::world() const { return implementation_->world(); }

void Store::submit(Decision decision, Settled settled, Urgency urgency) {
  implementation_->submit(std::move(decision), std::move(settled), urgency);
}

void Store::transact(const Decision& decision, Urgency urgency) {
  if (implementation_->on_writer()) throw std::logic_error("transact was called on the writer thread, where it would wait for itself");
  auto done = std::make_shared<std::promise<void>>();
  auto outcome = done->get_future();
  submit([&decision](Transaction& transaction) { decision(transaction); },
         [done](std::exception_ptr failure) {
           if (failure)
             done->set_exception(std::move(failure));
           else
             done->set_value();
         },
         urgency);
  outcome.get();
}

std::uint64_t Store::watch(std::function<void(const Commit&)> watcher) { return implementation_->watch(std::move(watcher)); }
void Store::unwatch(std::uint64_t watcher) { implementation_->unwatch(watcher); }
void Store::stop() { implementation_->stop(); }

}  // namespace brume::state
