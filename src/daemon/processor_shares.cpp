#include "daemon/processor_shares.hpp"

#include <algorithm>

namespace brume::daemon {
namespace {

using compute::CpuPlan;

// EC2 compute units of a type in all (INS-005).
struct Units {
  std::string_view type;
  double most;
  double background = 0;  // of a micro: what it is clamped to; the guide says no more than that it is small (NET-072)
};
constexpr Units units_of_types[] = {
    {"m1.small", 1},    {"m1.large", 4},    {"m1.xlarge", 8},   {"t1.micro", 2, 0.1},  {"c1.medium", 5},    {"c1.xlarge", 20},
    {"m2.xlarge", 6.5}, {"m2.2xlarge", 13}, {"m2.4xlarge", 26}, {"cc1.4xlarge", 33.5}, {"cc2.8xlarge", 88}, {"cg1.4xlarge", 33.5},
};

// CPU credits that a size earns an hour. A credit is one processor for a minute.
struct Earning {
  std::string_view type;
  double credits;
};
constexpr Earning earnings[] = {
    {"t2.nano", 3},  {"t2.micro", 6},   {"t2.small", 12},  {"t2.medium", 24},  {"t2.large", 36},  {"t2.xlarge", 54},  {"t2.2xlarge", 81.6},
    {"t3.nano", 6},  {"t3.micro", 12},  {"t3.small", 24},  {"t3.medium", 24},  {"t3.large", 36},  {"t3.xlarge", 96},  {"t3.2xlarge", 192},
    {"t3a.nano", 6}, {"t3a.micro", 12}, {"t3a.small", 24}, {"t3a.medium", 24}, {"t3a.large", 36}, {"t3a.xlarge", 96}, {"t3a.2xlarge", 192},
};

// Of a micro instance, in compute units times seconds. At its full 2 units a burst lasts 15 s; a boot may take four times that.
constexpr double micro_allotment = 30;
constexpr double micro_at_start = 120;

constexpr double credit = 60;          // processor-seconds
constexpr double launch_credits = 30;  // of a t2, for each of its processors
constexpr double hours_saved = 24;     // what is earned in a day is the most that can be saved

template <class Rows>
const auto* find_row(const Rows& rows, std::string_view type) {
  const auto found = std::find_if(std::begin(rows), std::end(rows), [&](const auto& row) { return row.type == type; });
  return found == std::end(rows) ? nullptr : &*found;
}

CpuPlan of_units(const Units& type, double processors, double units) {
  CpuPlan plan;
  plan.most = std::min(type.most / units, processors);
  plan.weight = plan.most;
  if (type.background > 0) {
    plan.kind = CpuPlan::Kind::micro;
    plan.base = std::min(type.background / units, processors);
    plan.allotment = micro_allotment / units;
    plan.at_start = micro_at_start / units;
    plan.weight = plan.most / 4;  // a burst is mostly of what the others leave (NET-073)
  } else if (plan.most >= processors) {
    plan.most = 0;  // all of its processors: they are the limit
  }
  return plan;
}

// "standard", "unlimited"; empty: nobody said, or instances do not keep it (yet).
template <class Instance>
std::string credit_specification(const Instance& instance) {
  if constexpr (requires { instance.cpu_credits; })
    return instance.cpu_credits;
  else
    return {};
}

CpuPlan of_credits(const Earning& type, double processors, const std::string& specification) {
  CpuPlan plan;
  plan.kind = CpuPlan::Kind::credits;
  plan.weight = processors;
  plan.base = type.credits * credit / 3600;
  plan.allotment = type.credits * hours_saved * credit;
  // The one family that is given credits at launch, and that is not unlimited unless it is told so.
  const bool is_t2 = type.type.starts_with("t2.");
  plan.may_overdraw = specification.empty() ? !is_t2 : specification == "unlimited";
  if (is_t2) plan.at_start = launch_credits * processors * credit;
  return plan;
}

}  // namespace

double default_compute_units(std::string_view accelerator) { return accelerator == "kvm" ? 4 : 1; }

CpuPlan plan_processors(const state::Instance& instance, double units) {
  const auto processors = static_cast<double>(instance.processors);
  if (const auto* earning = find_row(earnings, instance.type)) return of_credits(*earning, processors, credit_specification(instance));
  if (const auto* type = find_row(units_of_types, instance.type)) return of_units(*type, processors, units);
  return CpuPlan{.weight = processors};
}

}  // namespace brume::daemon
