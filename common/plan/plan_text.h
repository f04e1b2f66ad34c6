#pragma once

#include <string>

#include "common/plan/run_plan.h"

namespace fpo {

// "6.2 GiB", "812 MiB".
std::string PlanBytes(int64_t bytes);
// "0.4 s", "3 min 20 s", "2 h 5 min".
std::string PlanSeconds(double seconds);

// The plan as a person reads it: memory by phase and part, time by phase, notes. Without what to
// change, which depends on where it is to fit.
std::string PlanTable(const RunPlan& plan);

// What to change so that `room_bytes` suffice, of the device or of the host: the first settings
// that do, each with the figure it leads to; otherwise those that lower it most, and that none
// suffices. Empty when it fits.
std::string PlanAdvice(const RunPlan& plan, bool on_device, int64_t room_bytes);

}  // namespace fpo
