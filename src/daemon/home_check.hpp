// Whether the state is the home's own and its newest. What the records do not know is removed at a start, so records that are lost, older
// than the home or another home's would cost all that is stored.
//
// The home and its state both keep an id, made at the first start; the home also keeps the version of the state that it last saw
// (home-id: "<id> <version>"). Homes of before there was an id are given one when most of what they hold is known to their state.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "base/result.hpp"
#include "state/store.hpp"

namespace brume::daemon {

// What lies in a home besides its state, by the names of the files. Nothing of it is opened.
struct HomeContents {
  std::set<std::string> disks;     // volumes, instance stores and snapshots
  std::set<std::string> machines;  // that run, or ended and were not yet forgotten
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
// nullopt: the home has none. `broken`: something else is in the file.
Result<std::optional<HomeMark>> read_home_mark(const std::string& home);
Result<void> write_home_mark(const std::string& home, const HomeMark& mark);

// What a state says of itself, and how much it knows of what the home holds.
struct StateFacts {
  std::string id;             // empty: of before there was one, or a new state
  std::uint64_t version = 0;  // grows with each change
  bool empty = true;
  std::size_t unknown_disks = 0;
  std::size_t unknown_machines = 0;
};
StateFacts examine_state(const state::World& world, const HomeContents& contents);

enum class Records {
  proven,    // this home's newest: what they do not know is nobody's
  plausible  // nothing speaks against them, nothing proves them either: what they do not know stays
};
// `refused`: these are not the records of what the home holds, with what was found and how to go on. `adopt`: the operator said that they
// are to be gone on with all the same.
Result<Records> judge_records(const std::string& home, const HomeContents& contents, const std::optional<HomeMark>& mark,
                              const StateFacts& state, bool adopt);

// Before the state is opened: SQLite takes a file that is missing or empty for a new one, and removes the log beside it that may be all
// that is left. `refused`, as above.
Result<void> check_state_file(const std::string& home, bool adopt);

// The way of one start through all of this. Of a simulation nothing is looked at: its home is new.
class HomeCheck {
 public:
  HomeCheck(std::string home, bool adopt) : home_(std::move(home)), adopt_(adopt) {}

  Result<void> before_opening() const { return check_state_file(home_, adopt_); }
  // With the state's lock held, before anything on the host is touched.
  Result<Records> judge(const state::World& world);
  // Gives the state the home's id, or makes one. The state first: a home that has an id and a state that has none tell of a state that was
  // lost.
  void keep_id(state::Transaction& transaction);
  // The home has seen this state. Nothing is noted of one that was refused, or that does not have the id yet.
  Result<void> note(const state::World& world) const;

 private:
  std::string home_;
  bool adopt_;
  bool accepted_ = false;
  std::string id_;  // the home's own, before it is in the state
};

}  // namespace brume::daemon
