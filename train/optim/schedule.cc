#include "train/optim/schedule.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace fpo::train {

absl::StatusOr<ScheduleKind> ParseScheduleKind(absl::string_view name) {
  if (name == "constant") return ScheduleKind::kConstant;
  if (name == "linear") return ScheduleKind::kLinear;
  if (name == "cosine") return ScheduleKind::kCosine;
  return absl::InvalidArgumentError(
      absl::StrCat("schedule.name is \"", name, "\"; allowed are constant, linear and cosine"));
}

double LearningRate(const ScheduleOptions& options, int64_t step) {
  if (step <= options.warmup_steps) {
    return options.lr * static_cast<double>(step) / static_cast<double>(options.warmup_steps);
  }
  const int64_t rest = std::max<int64_t>(1, options.total_steps - options.warmup_steps);
  const double done = std::clamp(
      static_cast<double>(step - 1 - options.warmup_steps) / static_cast<double>(rest), 0.0, 1.0);
  switch (options.kind) {
    case ScheduleKind::kLinear:
      return options.lr * (1 - done);
    case ScheduleKind::kCosine:
      return options.lr * 0.5 * (1 + std::cos(done * M_PI));
    case ScheduleKind::kConstant:
      break;
  }
  return options.lr;
}

}  // namespace fpo::train
