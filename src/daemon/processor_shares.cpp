#include "daemon/processor_shares.hpp"

#include <algorithm>

#include "domain/instance_types.hpp"

namespace brume::daemon {
namespace {

using compute::CpuPlan;
using domain::InstanceType;

// Budget of a micro instance, in compute units times seconds. At its full 2 units a burst lasts 15 s; a boot may take four times that.
constexpr double micro_allotment = 30;
constexpr double micro_at_start = 120;

constexpr double credit = 60;          // processor-seconds in one CPU credit
constexpr double launch_credits = 30;  // of a t2, for each of its processors
constexpr double hours_saved = 24;     // at most what is earned in a day can be saved
constexpr double kept_stopped = 7 * 24 * 3600.0;

CpuPlan of_units(const InstanceType& type, double processors, double units) {
  CpuPlan plan;
  plan.most = std::min(type.compute_units / units, processors);
  plan.weight = plan.most;
  if (type.units_between_bursts > 0) {
    plan.kind = CpuPlan::Kind::micro;
    plan.base = std::min(type.units_between_bursts / units, processors);
    plan.allotment = micro_allotment / units;
    plan.at_start = micro_at_start / units;
    plan.weight = plan.most / 4;  // a burst mostly uses what others leave (NET-073)
  } else if (plan.most >= processors) {
    plan.most = 0;  // all of its processors, which are the limit
  }
  return plan;
}

CpuPlan of_credits(const InstanceType& type, double processors, bool unlimited) {
  CpuPlan plan;
  plan.kind = CpuPlan::Kind::credits;
  plan.weight = processors;
  plan.base = type.credits_an_hour * credit / 3600;
  plan.allotment = type.credits_an_hour * hours_saved * credit;
  plan.may_overdraw = unlimited;
  // The only family that gets credits at launch and at each start, and that loses what it saved at a stop; the others keep everything for a
  // week.
  if (type.name.starts_with("t2."))
    plan.at_start = launch_credits * processors * credit;
  else
    plan.kept_stopped = kept_stopped;
  return plan;
}

}  // namespace

double default_compute_units(std::string_view accelerator) { return accelerator == "kvm" ? 4 : 1; }

CpuPlan plan_processors(const state::Instance& instance, double units) {
  const auto processors = static_cast<double>(instance.processors);
  const auto* type = domain::find_instance_type(instance.type);
  if (type != nullptr && type->credits_an_hour > 0) return of_credits(*type, processors, instance.cpu_credits == "unlimited");
  if (type != nullptr && type->compute_units > 0) return of_units(*type, processors, units);
  return CpuPlan{.weight = processors};
}

}  // namespace brume::daemon
