// What a machine may use of the host's processors, and how that changes with what it has used. Pure: time and use come in, a limit
// goes out. All amounts are the host's: processors, and seconds of one processor.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace brume::compute {

// The promise that an instance type makes (INS-007), in the host's units.
struct CpuPlan {
  enum class Kind {
    steady,   // the same at all times
    micro,    // short bursts over a small background; who bursts for too long is clamped to the background (NET-073)
    credits,  // earns credits all the time, spends them above what it earns, and has only what it earns when they are used up
  };
  Kind kind = Kind::steady;
  double weight = 1;          // processors that it is sure of while all want theirs
  double most = 0;            // more it never gets; 0: no limit
  double base = 0;            // micro: the background; credits: what it earns a second
  double allotment = 0;       // micro: what it may use above the background before it is clamped; credits: most that it can save
  double at_start = 0;        // micro: the allotment of a new machine, so that a boot is not clamped; credits: those given at launch
  bool may_overdraw = false;  // credits: never clamped ("unlimited")
  double kept_stopped = 0;    // credits: seconds after its end for which what it saved waits for its next run

  friend bool operator==(const CpuPlan&, const CpuPlan&) = default;
};

// What a machine has left.
class CpuBudget {
 public:
  explicit CpuBudget(const CpuPlan& plan);

  // `used` processor-seconds in the `elapsed` seconds since the last call. The limit from now on, in processors; 0: none.
  double spend(double elapsed, double used);
  double limit() const;
  bool is_clamped() const { return clamped_; }
  double left() const { return saved_ + launch_; }
  const CpuPlan& plan() const { return plan_; }
  // Another plan for a machine that runs. Of the same kind: what it has saved stays (ModifyInstanceCreditSpecification); else it begins
  // anew.
  void change(const CpuPlan& plan);

  // As text for the machine's folder, so that a restart of the daemon gives nothing away and takes nothing.
  std::string to_text() const;
  // That of the machine's next run, so long after the end of this one.
  CpuBudget after_stop(const CpuPlan& plan, double stopped_seconds) const;
  static std::optional<CpuBudget> from_text(std::string_view text);

 private:
  void spend_micro(double elapsed, double used);
  void spend_credits(double elapsed, double used);

  CpuPlan plan_;
  double saved_ = 0;
  double launch_ = 0;  // credits given at launch: spent first, never earned again
  bool clamped_ = false;
  double clamp_left_ = 0;  // micro: seconds
  int clamps_ = 0;         // micro: in a row; each is longer than the one before
};

}  // namespace brume::compute
