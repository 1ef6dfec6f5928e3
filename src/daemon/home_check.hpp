// Checks that the state belongs to this home and is its newest. A start removes what the records do not know, so lost records, or records
// that are older than the home or another home's, would cost everything that is stored.
//
// The home and its state both keep an id, made at the first start; the home also keeps the version of the state that it last saw (home-id:
// "<id> <version>"). A home from before there was an id gets one if its state knows most of what it holds.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "base/result.hpp"
#include "state/store.hpp"

namespace brume::daemon {

// What a home holds besides its state, by the names of the files. Nothing is opened.
struct HomeContents {
  std::set<std::string> disks;     // volumes, instance stores and snapshots
  std::set<std::string> machines;  // running, or ended and not yet forgotten
  std::set<std::string> networks;  // VPCs
  std::set<std::string> regions;   // after the first
  std::size_t layers = 0;          // files of disks

  bool empty() const { return disks.empty() && machines.empty() && networks.empty() && regions.empty() && layers == 0; }
  // "2 volumes and snapshots (snap-1, vol-1) and 1 machine (i-1)"
  std::string describe() const;
};
HomeContents look_through_home(const std::string& home);

struct HomeMark {
  std::string id;
  std::uint64_t version = 0;
};
// nullopt: the home has none. `broken`: the file has another form.
Result<std::optional<HomeMark>> read_home_mark(const std::string& home);
Result<void> write_home_mark(const std::string& home, const HomeMark& mark);

// What a state says of itself, and how much of what the home holds it knows.
struct StateFacts {
  std::string id;             // empty: from before there was one, or a new state
  std::uint64_t version = 0;  // grows with each change
  bool empty = true;
  std::size_t unknown_disks = 0;
  std::size_t unknown_machines = 0;
};
StateFacts examine_state(const state::World& world, const HomeContents& contents);

enum class Records {
  proven,    // this home's newest: what they do not know is an orphan
  plausible  // nothing speaks against them, and nothing proves them: what they do not know stays
};
// `refused`: these are not the records of what the home holds, with what was found and how to continue. `adopt`: the operator wants to
// continue with them anyway.
Result<Records> judge_records(const std::string& home, const HomeContents& contents, const std::optional<HomeMark>& mark,
                              const StateFacts& state, bool adopt);

// To be called before the state is opened: SQLite takes a missing or empty file for a new one and removes the log beside it, which may be
// all that is left. `refused`, as above.
Result<void> check_state_file(const std::string& home, bool adopt);

// The checks of one start, in order. A simulation skips them, because its home is new.
class HomeCheck {
 public:
  HomeCheck(std::string home, bool adopt) : home_(std::move(home)), adopt_(adopt) {}

  Result<void> before_opening() const { return check_state_file(home_, adopt_); }
  // Call with the state's lock held, before anything on the host is touched.
  Result<Records> judge(const state::World& world);
  // Gives the state the home's id, or makes one. The state gets it first, because a home with an id and a state without one mean that a
  // state was lost.
  void keep_id(state::Transaction& transaction);
  // Records that the home has seen this state. Not for a state that was refused or does not have the id yet.
  Result<void> note(const state::World& world) const;

 private:
  std::string home_;
  bool adopt_;
  bool accepted_ = false;
  std::string id_;  // the home's own id, before it is in the state
};

}  // namespace brume::daemon
