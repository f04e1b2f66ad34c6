#include "train/objective/early_stop.h"

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/job/sections/evaluate_fields.h"

namespace fpo::train {

EarlyStop::EarlyStop(const JobConfig& job)
    : patience_(job.evaluate.patience),
      min_improvement_(job.evaluate.min_improvement),
      metric_(DecidingMetric(job)),
      lower_(LowerDecides(job).value_or(true)) {}

std::optional<double> EarlyStop::Score(const std::map<std::string, double>& evaluation) const {
  const auto found = evaluation.find(metric_);
  if (found == evaluation.end() || !std::isfinite(found->second)) return std::nullopt;
  return lower_ ? found->second : -found->second;
}

absl::Status EarlyStop::Observe(int64_t step, const std::map<std::string, double>& evaluation,
                                EarlyStopState* state) const {
  const auto found = evaluation.find(metric_);
  if (found == evaluation.end()) {
    std::vector<std::string> names;
    for (const auto& [name, value] : evaluation) names.push_back(name);
    return absl::InvalidArgumentError(absl::StrCat("evaluate.metric is ", metric_,
                                                   ", which this job's evaluations do not have; ",
                                                   "they have ", absl::StrJoin(names, ", ")));
  }
  const double value = found->second;
  const double gain = lower_ ? state->best.value_or(0) - value : value - state->best.value_or(0);
  const bool is_better = std::isfinite(value) && (!state->best.has_value() || gain > 0);
  const bool improves = is_better && (!state->best.has_value() || gain > min_improvement_);
  state->waited = improves ? 0 : state->waited + 1;
  if (!is_better) return absl::OkStatus();
  state->best = value;
  state->best_step = step;
  return absl::OkStatus();
}

std::string EarlyStop::Describe(int64_t step, int64_t total_steps,
                                const EarlyStopState& state) const {
  const std::string best = state.best.has_value()
                               ? absl::StrCat("best step ", state.best_step, " (", *state.best, ")")
                               : "it never was a number";
  return absl::StrCat(
      "stopped early at step ", step, " of ", total_steps, ": ", metric_, " has not improved",
      min_improvement_ > 0 ? absl::StrCat(" by more than ", min_improvement_) : "", " for ",
      state.waited, state.waited == 1 ? " evaluation; " : " evaluations; ", best);
}

}  // namespace fpo::train
