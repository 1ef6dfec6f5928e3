// What a decision may do, and what comes of it.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "state/world.hpp"

namespace brume::state {

struct Change {
  Kind kind;
  std::string key;
  std::shared_ptr<const void> before;  // null: new
  std::shared_ptr<const void> after;   // null: gone
  template <class R>
  const R* old() const {
    return kind == R::kind ? static_cast<const R*>(before.get()) : nullptr;
  }
  template <class R>
  const R* now() const {
    return kind == R::kind ? static_cast<const R*>(after.get()) : nullptr;
  }
};

struct Commit {
  WorldPointer world;
  std::vector<Change> changes;  // one for each key, oldest `before`, newest `after`
};

// What a decision may do. Lives only during the decision.
class Transaction {
 public:
  const World& world() const { return world_; }  // including this decision's own changes
  Time now() const { return now_; }
  Random& random() const { return random_; }

  template <class R>
  const R* find(std::string_view key) const {
    return world_.find<R>(key);
  }
  template <class R>
  const R* find(std::string_view account, std::string_view id) const {
    return world_.find<R>(account, id);
  }

  // Adds or replaces the record with this key. A change of its state that its table (records/states.hpp) lacks is a logic_error.
  template <class R>
  void put(R record) {
    auto key = record.key();
    if constexpr (requires { may_become(record.state, record.state); }) {
      const auto* before = find<R>(key);
      if (before != nullptr && before->state != record.state && !may_become(before->state, record.state))
        refuse_move(R::kind, key, name_of(before->state), name_of(record.state));
    }
    put_erased(R::kind, std::move(key), std::make_shared<const R>(std::move(record)));
  }
  template <class R>
  void erase(std::string_view key) {
    put_erased(R::kind, std::string(key), nullptr);
  }

  // For effects outside the state that must happen only once, such as a line in a log: called on the writer thread once the decision is
  // durable, before it is settled, in the order of these calls; never if the decision fails. Must not block.
  void when_durable(std::function<void()> effect) { effects_.push_back(std::move(effect)); }
  // The same whatever comes of the decision, durable or failed: for a line that says what was refused.
  void when_settled(std::function<void()> effect) { last_effects_.push_back(std::move(effect)); }

  // The rest of a change that is too large for one decision: a decision of its own, which runs once this one is durable and before the
  // caller hears of it; others get their turn in between. It may have one too. Never if this decision fails. What this decision stores has
  // to say what the rest is, so that it is done after a crash too: the caller is told of success as soon as the first part is durable and
  // the rest has been tried, and an error of the rest is only logged. Of several rests of one decision the first parts go together.
  void then(std::function<void(Transaction&)> rest) {
    if (!rest_) {
      rest_ = std::move(rest);
      return;
    }
    rest_ = [earlier = std::move(rest_), rest = std::move(rest)](Transaction& next) {
      earlier(next);
      rest(next);
    };
  }

 private:
  friend class Writer;
  Transaction(World& world, Time now, Random& random) : world_(world), now_(now), random_(random) {}
  // A fault of ours: the decision ends and changes nothing.
  [[noreturn]] static void refuse_move(Kind kind, const std::string& key, std::string_view from, std::string_view to);
  void put_erased(Kind kind, std::string key, std::shared_ptr<const void> record);

  World& world_;
  Time now_;
  Random& random_;
  std::vector<Change> changes_;
  std::vector<std::function<void()>> effects_;
  std::vector<std::function<void()>> last_effects_;
  std::function<void(Transaction&)> rest_;
};

// May run more than once, each time from the start against a newer World: if another writer of the log was faster, or if it no longer fits
// into a group. Only the last run counts. So a decision must have no effect except its changes and what it passes to when_durable and
// when_settled; variables that it captures must be assigned in each run, never appended to.
using Decision = std::function<void(Transaction&)>;
// How long a decision may be delayed so that it can share a commit, which costs a sync of the disk whatever is in it: a decision whose
// answer nobody waits for goes with the next one that somebody waits for, or after Writer::group_commit_delay.
enum class Urgency : std::uint8_t { now, soon };
// Called once, on the writer thread, after the decision is durable or has failed. Must not block. A decision that throws is also answered
// together with its group, because its error may depend on another decision of the same group that is not durable yet.
using Settled = std::function<void(std::exception_ptr failure)>;

// Thrown to callers if the log cannot take more (disk full): nothing was changed. All decisions of the group get it.
struct LogFailure : std::exception {
  explicit LogFailure(Error failure) : error(std::move(failure)) {}
  const char* what() const noexcept override { return error.message.c_str(); }
  Error error;
};
// Thrown when too many decisions wait (see Writer::queue_limit).
struct Overloaded : std::exception {
  const char* what() const noexcept override { return "too many requests wait for the state"; }
};

}  // namespace brume::state
