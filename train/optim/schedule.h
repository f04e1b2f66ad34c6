#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo::train {

enum class ScheduleKind { kConstant, kLinear, kCosine };
absl::StatusOr<ScheduleKind> ParseScheduleKind(
    absl::string_view name);  // constant | linear | cosine

struct ScheduleOptions {
  ScheduleKind kind = ScheduleKind::kConstant;
  double lr = 0;
  int64_t warmup_steps = 0;
  int64_t total_steps = 0;  // linear and cosine reach 0 one step after the last
};

// Learning rate of an optimiser step, counted from 1: lr * step / warmup_steps during the warm-up,
// then the kind's shape.
double LearningRate(const ScheduleOptions& options, int64_t step);

}  // namespace fpo::train
