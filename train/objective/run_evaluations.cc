#include "train/objective/run_evaluations.h"

#include <utility>

#include "common/status_macros.h"
#include "train/objective/set_evaluations.h"

namespace fpo::train {

RunEvaluations::RunEvaluations(Parts parts, MicroBatchSize::Options micro_batches)
    : parts_(std::move(parts)), micro_batch_(std::move(micro_batches)), early_stop_(parts_.job) {}

std::optional<double> RunEvaluations::ScoreAt(int64_t step) const {
  return IsOf(step) ? early_stop_.Score(last_) : std::nullopt;
}

absl::Status RunEvaluations::Evaluate(const EvaluationMoment& moment, MetricsLog* log,
                                      EarlyStopState* state) {
  FPO_ASSIGN_OR_RETURN(
      const SetEvaluations evaluation,
      EvaluateSets({parts_.job, parts_.inputs, parts_.objective}, &micro_batch_, parts_.group));
  step_ = moment.step;
  stale_ = false;
  last_ = evaluation.metrics;
  contracts_ = evaluation.contracts;
  if (last_.empty()) return absl::OkStatus();
  seconds_ += last_.at("eval_seconds");
  if (log != nullptr) {
    FPO_RETURN_IF_ERROR(log->AppendEvaluation({moment.step, moment.epoch, moment.nth}, evaluation));
  }
  TrainEvent event = EvaluationEvent(moment.step, moment.total_steps, last_);
  event.phase = "train";
  parts_.events.Emit(std::move(event));
  for (const auto& words : DescribeBroken(contracts_, moment.step)) parts_.warn(words);
  if (!early_stop_.active() || state == nullptr) return absl::OkStatus();
  FPO_RETURN_IF_ERROR(early_stop_.Observe(moment.step, last_, state));
  // The metrics are sums over the ranks, equal to the last bit, and so is what follows.
  std::vector<double> ending = {early_stop_.Ends(*state) ? 1.0 : 0.0};
  const double own = ending[0] * static_cast<double>(parts_.group.world());
  FPO_RETURN_IF_ERROR(parts_.group.Sum(&ending));
  return ending[0] == own ? absl::OkStatus()
                          : absl::InternalError("the ranks do not agree whether the run ends");
}

}  // namespace fpo::train
