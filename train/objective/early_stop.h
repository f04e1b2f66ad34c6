#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "common/job/job_config.h"

namespace fpo::train {

// Where a run with evaluate.patience stands after some evaluations; kept in checkpoints.
struct EarlyStopState {
  std::optional<double> best;  // of the metric, as it is
  int64_t best_step = 0;
  int64_t waited = 0;  // evaluations in a row that did not improve on the best before them
  bool operator==(const EarlyStopState&) const = default;
};

// Decides by evaluations which checkpoint is the best, and, with evaluate.patience, when a run
// ends: as EarlyStoppingCallback of Hugging Face's transformers does. An evaluation improves when
// its metric is better than that of every one before it, by more than min_improvement; the best is
// the best so far even where it is better by less. The first one improves; one that is not a number
// does not. Pure functions of the evaluations: every rank and resumed run has the same.
class EarlyStop {
 public:
  explicit EarlyStop(const JobConfig& job);

  bool active() const { return patience_.has_value(); }
  const std::string& metric() const { return metric_; }  // "eval_loss"
  // What a checkpoint with this evaluation is compared by: lower is better. Nothing where the
  // evaluation lacks the metric or has no number.
  std::optional<double> Score(const std::map<std::string, double>& evaluation) const;
  // Takes an evaluation. InvalidArgument when it lacks the metric, with those that it has.
  absl::Status Observe(int64_t step, const std::map<std::string, double>& evaluation,
                       EarlyStopState* state) const;
  bool Ends(const EarlyStopState& state) const { return active() && state.waited >= *patience_; }
  // "stopped early at step 400 of 1911: eval_loss has not improved by more than 0.01 for 3
  // evaluations; best step 250 (0.4113)"
  std::string Describe(int64_t step, int64_t total_steps, const EarlyStopState& state) const;

 private:
  std::optional<int64_t> patience_;
  double min_improvement_;
  std::string metric_;
  bool lower_;  // is better
};

}  // namespace fpo::train
