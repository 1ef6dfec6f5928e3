#include "state/writer.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "state/codec.hpp"
#include "state/kinds.hpp"

namespace brume::state {
namespace {

struct Pending {
  Decision decision;
  Settled settled;
  std::exception_ptr failure;
  std::vector<std::function<void()>> effects;       // of its last run, if it becomes durable
  std::vector<std::function<void()>> last_effects;  // of its last run, whatever comes of it
  Decision rest;                                    // of its last run
  bool is_rest = false;                             // of a decision that is durable
};

// The merged changes of successive decisions, one for each key, and their writes.
class MergedChanges {
 public:
  void merge(Change change) {
    const auto [place, is_new] = places_.try_emplace(log_key(change.kind, change.key), changes_.size());
    if (is_new)
      changes_.push_back(std::move(change));
    else
      changes_[place->second].after = std::move(change.after);
  }
  const std::vector<Change>& changes() const { return changes_; }
  size_t size() const { return changes_.size(); }

 private:
  std::vector<Change> changes_;
  std::unordered_map<std::string, size_t> places_;
};

// What a group of decisions appends to the log: within the log's limits, unless a single decision is larger.
class Group {
 public:
  explicit Group(LogLimits limits) : limits_(limits) {}

  // False: there is no more room, and nothing was added.
  bool take_in(const std::vector<Change>& changes);
  // Omits records that were added and removed within the group. Empties it.
  void take(std::vector<Change>& changes, std::vector<LogWrite>& writes);

 private:
  struct Entry {
    Change change;
    LogWrite write;
  };
  static size_t bytes_of(const LogWrite& write) { return write.key.size() + (write.value ? write.value->size() : 0); }

  LogLimits limits_;
  std::vector<Entry> entries_;
  std::unordered_map<std::string, size_t> places_;
  size_t bytes_ = 0;
};

bool Group::take_in(const std::vector<Change>& changes) {
  MergedChanges merged;
  for (const auto& change : changes) merged.merge(change);
  std::vector<Entry> added;
  added.reserve(merged.size());
  size_t new_keys = 0;
  size_t bytes = bytes_;
  for (const auto& change : merged.changes()) {
    LogWrite write{log_key(change.kind, change.key), std::nullopt};
    if (change.after) write.value = encode(change.kind, change.after.get());
    const auto place = places_.find(write.key);
    if (place == places_.end())
      ++new_keys;
    else
      bytes -= bytes_of(entries_[place->second].write);
    bytes += bytes_of(write);
    added.push_back({change, std::move(write)});
  }
  if (!entries_.empty() && (entries_.size() + new_keys > limits_.keys || bytes > limits_.bytes)) return false;
  bytes_ = bytes;
  for (auto& entry : added) {
    const auto [place, is_new] = places_.try_emplace(entry.write.key, entries_.size());
    if (is_new) {
      entries_.push_back(std::move(entry));
    } else {
      auto& kept = entries_[place->second];
      kept.change.after = std::move(entry.change.after);
      kept.write = std::move(entry.write);
    }
  }
  return true;
}

void Group::take(std::vector<Change>& changes, std::vector<LogWrite>& writes) {
  changes.reserve(entries_.size());
  writes.reserve(entries_.size());
  for (auto& entry : entries_) {
    if (!entry.change.before && !entry.change.after) continue;
    changes.push_back(std::move(entry.change));
    writes.push_back(std::move(entry.write));
  }
  entries_.clear();
  places_.clear();
  bytes_ = 0;
}

// A callback must not end the writer.
template <class Function>
void call_for_others(const Function& function) {
  try {
    function();
  } catch (const std::exception& problem) {
    log::error("state", "the end of a decision failed: {}", problem.what());
  } catch (...) {
    log::error("state", "the end of a decision failed");
  }
}

std::string reason_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& problem) {
    return problem.what();
  } catch (...) {
    return "an unknown failure";
  }
}

}  // namespace

void Transaction::refuse_move(Kind kind, const std::string& key, std::string_view from, std::string_view to) {
  throw std::logic_error(fmt::format("{} {} cannot become {}: it is {}", name_of(kind), key, to, from));
}

void Transaction::put_erased(Kind kind, std::string key, std::shared_ptr<const void> record) {
  // Memory first: after set() nothing may fail, or the decision could keep a change that the log does not get.
  changes_.emplace_back();
  Change& change = changes_.back();
  change.kind = kind;
  change.after = record;
  change.before = world_.set(kind, key, std::move(record));
  change.key = std::move(key);
  if (!change.before && !change.after) changes_.pop_back();
}

class Writer::Implementation {
 public:
  Implementation(Replica& replica, const Clock& clock, Random& random) : replica_(replica), clock_(clock), random_(random) {
    replica_.call_on_arrival([this] {
      const std::lock_guard lock(queue_mutex_);
      arrived_ = true;
      queue_changed_.notify_one();
    });
    thread_ = std::thread([this] { run(); });
  }
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;
  ~Implementation() {
    replica_.call_on_arrival({});
    stop();
  }

  void submit(Decision decision, Settled settled, Urgency urgency);
  void stop();
  bool on_writer() const { return std::this_thread::get_id() == thread_id_.load(std::memory_order_relaxed); }

 private:
  enum class Outcome { durable, failed, conflict };

  void run();
  bool take_group(std::deque<Pending>& group);  // false: it is over
  void settle_group(std::deque<Pending> group);
  void decide_and_append(std::deque<Pending>& group);
  Outcome append(std::deque<Pending>& group, Group& merged, World world);
  // Runs decisions in order while there is room in `merged`; returns how many.
  size_t decide_all(std::deque<Pending>& group, Group& merged, World& world);
  std::vector<Change> decide(Pending& pending, World& world);  // absent if it threw; the world is then partly changed
  void put_back(std::deque<Pending>& group, size_t from);
  void queue_rest(Pending& pending);
  static void fail_all(std::deque<Pending>& group, const Error& error);

  Replica& replica_;
  const Clock& clock_;
  Random& random_;

  std::mutex queue_mutex_;
  std::condition_variable queue_changed_;
  std::deque<Pending> queue_;
  std::optional<std::chrono::steady_clock::time_point> due_;  // when the queue has to be processed; none: it is empty
  bool arrived_ = false;                                      // something of another writer may have come
  bool stopping_ = false;

  std::mutex stop_mutex_;
  std::atomic<std::thread::id> thread_id_{};
  std::thread thread_;
};

void Writer::Implementation::submit(Decision decision, Settled settled, Urgency urgency) {
  {
    const std::lock_guard lock(queue_mutex_);
    if (stopping_ || queue_.size() >= queue_limit) throw Overloaded();
    queue_.push_back({std::move(decision), std::move(settled), nullptr, {}, {}, {}, false});
    auto due = std::chrono::steady_clock::now();
    if (urgency == Urgency::soon) due += group_commit_delay;
    due_ = due_ ? std::min(*due_, due) : due;
  }
  queue_changed_.notify_one();
}

bool Writer::Implementation::take_group(std::deque<Pending>& group) {
  std::unique_lock lock(queue_mutex_);
  const auto is_due = [this] { return stopping_ || arrived_ || (due_ && *due_ <= std::chrono::steady_clock::now()); };
  while (!is_due()) {
    if (due_)
      queue_changed_.wait_until(lock, *due_);
    else
      queue_changed_.wait(lock);
  }
  arrived_ = false;
  if (!stopping_ && (!due_ || *due_ > std::chrono::steady_clock::now())) return true;
  while (!queue_.empty() && group.size() < group_limit) {
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  if (queue_.empty()) due_.reset();
  return !group.empty() || !stopping_;
}

// Puts the decisions from `from` on back to the front of the queue.
void Writer::Implementation::put_back(std::deque<Pending>& group, size_t from) {
  if (from == group.size()) return;
  const std::lock_guard lock(queue_mutex_);
  for (size_t i = group.size(); i > from; --i) queue_.push_front(std::move(group[i - 1]));
  due_ = std::chrono::steady_clock::now();
  group.resize(from);
}

// Behind those that wait already, so that a large change does not hold them up. The caller still waits: the queue may exceed its limit by
// as many as were in it once.
void Writer::Implementation::queue_rest(Pending& pending) {
  const std::lock_guard lock(queue_mutex_);
  queue_.push_back({std::move(pending.rest), std::move(pending.settled), nullptr, {}, {}, {}, true});
  due_ = std::chrono::steady_clock::now();
  pending = {};
}

void Writer::Implementation::run() {
  thread_id_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  while (true) {
    std::deque<Pending> group;
    if (!take_group(group)) return;
    if (const auto applied = replica_.apply_arrived(); !applied) fail_all(group, applied.error());
    settle_group(std::move(group));
  }
}

void Writer::Implementation::settle_group(std::deque<Pending> group) {
  const bool failed = !group.empty() && group.front().failure != nullptr;
  try {
    if (!group.empty() && !failed) decide_and_append(group);
  } catch (const std::exception& failure) {
    // Out of memory between decision and log: nothing was written.
    log::error("state", "a group of {} decisions failed: {}", group.size(), failure.what());
    fail_all(group, {ErrorKind::exhausted, failure.what()});
  }
  for (auto& pending : group) {
    if (!pending.failure)
      for (const auto& effect : pending.effects) call_for_others(effect);
    for (const auto& effect : pending.last_effects) call_for_others(effect);
    if (!pending.failure && pending.rest) {
      queue_rest(pending);
      continue;
    }
    if (pending.failure && pending.is_rest)
      log::error("state", "the rest of a change is left for later: {}", reason_of(std::exchange(pending.failure, nullptr)));
    call_for_others([&] {
      if (pending.settled) pending.settled(std::exchange(pending.failure, nullptr));
    });
    pending = {};  // what the caller bound is destroyed once it has been called
  }
}

// Decisions without room go back to the front of the queue; `group` keeps the others, each with its failure.
void Writer::Implementation::decide_and_append(std::deque<Pending>& group) {
  for (int lost = 0;; ++lost) {
    World world = *replica_.world();
    const auto version = world.version();
    Group merged(replica_.log().limits());
    put_back(group, decide_all(group, merged, world));
    if (append(group, merged, std::move(world)) != Outcome::conflict) return;
    if (lost == conflict_limit) return fail_all(group, {ErrorKind::exhausted, "other writers of the state were always quicker"});
    if (!replica_.wait_for_newer_than(version, news_wait))
      return fail_all(group, {ErrorKind::timed_out, "another writer changed the state, but the log does not tell what"});
    if (const auto applied = replica_.apply_arrived(); !applied) return fail_all(group, applied.error());
    for (auto& pending : group) pending.failure = nullptr;
  }
}

size_t Writer::Implementation::decide_all(std::deque<Pending>& group, Group& merged, World& world) {
  size_t decided = 0;
  for (; decided < group.size(); ++decided) {
    const World before = world;
    const auto changes = decide(group[decided], world);
    const bool fits = merged.take_in(changes);
    if (!fits || group[decided].failure) world = before;
    if (!fits) break;
  }
  return decided;
}

std::vector<Change> Writer::Implementation::decide(Pending& pending, World& world) {
  Transaction transaction(world, clock_.now(), random_);
  std::vector<Change> changes;
  try {
    pending.decision(transaction);
    changes = std::move(transaction.changes_);
    pending.rest = std::move(transaction.rest_);
  } catch (...) {
    pending.failure = std::current_exception();
  }
  pending.effects = std::move(transaction.effects_);
  pending.last_effects = std::move(transaction.last_effects_);
  return changes;
}

Writer::Implementation::Outcome Writer::Implementation::append(std::deque<Pending>& group, Group& merged, World world) {
  std::vector<Change> changes;
  std::vector<LogWrite> writes;
  merged.take(changes, writes);
  if (changes.empty()) return Outcome::durable;
  const auto version = replica_.log().append(std::move(writes), world.version());
  if (version) {
    replica_.publish(std::move(world), *version, std::move(changes));
    return Outcome::durable;
  }
  if (version.error().kind == ErrorKind::conflict) return Outcome::conflict;
  log::error("state", "{} decisions taken back: {}", group.size(), version.error().message);
  // Including those that threw: their error may depend on another decision of the group.
  fail_all(group, version.error());
  return Outcome::failed;
}

void Writer::Implementation::fail_all(std::deque<Pending>& group, const Error& error) {
  for (auto& pending : group) pending.failure = std::make_exception_ptr(LogFailure(error));
}

void Writer::Implementation::stop() {
  {
    const std::lock_guard lock(queue_mutex_);
    stopping_ = true;
  }
  queue_changed_.notify_one();
  const std::lock_guard lock(stop_mutex_);
  if (thread_.joinable()) thread_.join();
}

Writer::Writer(Replica& replica, const Clock& clock, Random& random)
    : implementation_(std::make_unique<Implementation>(replica, clock, random)) {}
Writer::~Writer() = default;

void Writer::submit(Decision decision, Settled settled, Urgency urgency) {
  implementation_->submit(std::move(decision), std::move(settled), urgency);
}

void Writer::transact(const Decision& decision, Urgency urgency) {
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

void Writer::stop() { implementation_->stop(); }

}  // namespace brume::state
