// What a machine may use of the host's processors, and how that changes with what it has used. Pure: time and use come in, a limit goes
// out. All amounts are in the host's units: processors, and seconds of one processor.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace brume::compute {

// The promise of an instance type (INS-007), in the host's units.
struct CpuPlan {
  enum class Kind {
    steady,   // the same at all times
    micro,    // short bursts above a small background; a burst that lasts too long is clamped to the background (NET-073)
    credits,  // earns credits all the time and spends them above what it earns; without credits it gets only what it earns
  };
  Kind kind = Kind::steady;
  double weight = 1;          // processors that it gets even if all machines want theirs
  double most = 0;            // never more than this; 0: no limit
  double base = 0;            // micro: the background; credits: earnings a second
  double allotment = 0;       // micro: use above the background until it is clamped; credits: the most that can be saved
  double at_start = 0;        // micro: the allotment of a new machine, so that a boot is not clamped; credits: given at launch
  bool may_overdraw = false;  // credits: never clamped ("unlimited")
  double kept_stopped = 0;    // credits: seconds after its end during which savings wait for its next run

  friend bool operator==(const CpuPlan&, const CpuPlan&) = default;
};

// What a machine has left.
class CpuBudget {
 public:
  explicit CpuBudget(const CpuPlan& plan);

  // `used` processor-seconds in the `elapsed` seconds since the last call. Returns the limit from now on, in processors; 0: none.
  double spend(double elapsed, double used);
  double limit() const;
  bool is_clamped() const { return clamped_; }
  double left() const { return saved_ + launch_; }
  const CpuPlan& plan() const { return plan_; }
  // Another plan for a running machine. If it is of the same kind, savings stay (ModifyInstanceCreditSpecification); else it begins anew.
  void change(const CpuPlan& plan);

  // As text for the machine's folder, so that a restart of the daemon neither gives nor takes credits.
  std::string to_text() const;
  // The budget of the machine's next run, so long after the end of this one.
  CpuBudget after_stop(const CpuPlan& plan, double stopped_seconds) const;
  static std::optional<CpuBudget> from_text(std::string_view text);

 private:
  void spend_micro(double elapsed, double used);
  void spend_credits(double elapsed, double used);

  CpuPlan plan_;
  double saved_ = 0;
  double launch_ = 0;  // credits given at launch: spent first, and never earned again
  bool clamped_ = false;
  double clamp_left_ = 0;  // micro: seconds
  int clamps_ = 0;         // micro: clamps in a row; each is longer than the one before
};

}  // namespace brume::compute
