#include "engines/compute/cpu_plan.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace brume::compute {
namespace {

// The guide gives no figures for the clamp ("indicative"). These reproduce the pictures in its chapter on micro instances (NET-073).
constexpr double first_clamp = 30;     // seconds
constexpr double longest_clamp = 960;  // five doublings

}  // namespace

CpuBudget::CpuBudget(const CpuPlan& plan) : plan_(plan) {
  if (plan.kind == CpuPlan::Kind::micro) saved_ = std::max(plan.at_start, plan.allotment);
  if (plan.kind == CpuPlan::Kind::credits) launch_ = plan.at_start;
}

void CpuBudget::change(const CpuPlan& plan) {
  if (plan.kind != plan_.kind) *this = CpuBudget(plan);
  plan_ = plan;
}

double CpuBudget::limit() const { return clamped_ ? plan_.base : plan_.most; }

double CpuBudget::spend(double elapsed, double used) {
  if (plan_.kind == CpuPlan::Kind::micro) spend_micro(elapsed, used);
  if (plan_.kind == CpuPlan::Kind::credits) spend_credits(elapsed, used);
  return limit();
}

void CpuBudget::spend_micro(double elapsed, double used) {
  if (clamped_) {
    clamp_left_ -= elapsed;
    if (clamp_left_ > 0) return;
    // Half of it: the whole budget, and with it the patience for bursts, returns only after some time at the background level.
    clamped_ = false;
    saved_ = plan_.allotment / 2;
    return;
  }
  const double before = saved_;
  saved_ += plan_.base * elapsed - used;
  // What it got at its start may be more than can be saved again.
  saved_ = std::min(saved_, std::max(before, plan_.allotment));
  if (saved_ >= plan_.allotment) clamps_ = 0;
  if (saved_ > 0) return;
  saved_ = 0;
  clamped_ = true;
  clamp_left_ = std::min(longest_clamp, first_clamp * std::exp2(clamps_));
  clamps_ = std::min(clamps_ + 1, 16);
}

void CpuBudget::spend_credits(double elapsed, double used) {
  double change = plan_.base * elapsed - used;
  if (change < 0) {
    const double of_launch = std::min(launch_, -change);
    launch_ -= of_launch;
    change += of_launch;
  }
  // May be below 0: what was used beyond the end is paid back before the next burst. At most a day's earnings can be overdrawn.
  saved_ = std::clamp(saved_ + change, -plan_.allotment, plan_.allotment);
  if (plan_.may_overdraw || left() > std::max(plan_.base, 0.01))
    clamped_ = false;  // enough for a second, so that the limit does not flicker
  else if (left() <= 0)
    clamped_ = true;
}

CpuBudget CpuBudget::after_stop(const CpuPlan& plan, double stopped_seconds) const {
  CpuBudget next(plan);
  const bool both = plan.kind == CpuPlan::Kind::credits && plan_.kind == CpuPlan::Kind::credits;
  if (both && plan.kept_stopped > 0 && stopped_seconds <= plan.kept_stopped) next.saved_ = std::clamp(saved_, 0.0, plan.allotment);
  return next;
}

std::string CpuBudget::to_text() const {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text.precision(12);
  text << static_cast<int>(plan_.kind) << ' ' << plan_.weight << ' ' << plan_.most << ' ' << plan_.base << ' ' << plan_.allotment << ' '
       << plan_.at_start << ' ' << plan_.may_overdraw << ' ' << saved_ << ' ' << launch_ << ' ' << clamped_ << ' ' << clamp_left_ << ' '
       << clamps_ << '\n';
  return text.str();
}

std::optional<CpuBudget> CpuBudget::from_text(std::string_view stored) {
  std::istringstream text{std::string(stored)};
  text.imbue(std::locale::classic());
  CpuPlan plan;
  int kind = 0;
  text >> kind >> plan.weight >> plan.most >> plan.base >> plan.allotment >> plan.at_start >> plan.may_overdraw;
  if (!text || kind < 0 || kind > static_cast<int>(CpuPlan::Kind::credits)) return std::nullopt;
  plan.kind = static_cast<CpuPlan::Kind>(kind);
  CpuBudget budget(plan);
  text >> budget.saved_ >> budget.launch_ >> budget.clamped_ >> budget.clamp_left_ >> budget.clamps_;
  if (!text) return std::nullopt;
  return budget;
}

}  // namespace brume::compute
