#pragma once

#include "common/flags/flag_set.h"

namespace fpo::train {

struct Flags;

// Commands that look at something and train nothing: inspect, inspect-data and plan.
void AddInspect(FlagSet app, Flags* flags);
void AddInspectData(FlagSet app, Flags* flags);
void AddPlan(FlagSet app, Flags* flags);

}  // namespace fpo::train
