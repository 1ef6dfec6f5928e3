// What an instance type promises of this machine's processors: turns the type's figures into the engine's plan.
#pragma once

#include <string_view>

#include "engines/compute/cpu_plan.hpp"
#include "state/records.hpp"

namespace brume::daemon {

// How many EC2 compute units one processor is worth if the operator does not say. A compute unit is a processor of 2007 (INS-007): today's
// are worth about four, and emulation costs about three quarters of that.
double default_compute_units(std::string_view accelerator);

// `units`: compute units of one processor of this machine.
compute::CpuPlan plan_processors(const state::Instance& instance, double units);

}  // namespace brume::daemon
