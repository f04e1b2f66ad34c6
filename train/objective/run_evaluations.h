#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/job/job_config.h"
#include "train/collective/process_group.h"
#include "train/events/event_sink.h"
#include "train/loop/micro_batch_size.h"
#include "train/objective/early_stop.h"
#include "train/objective/objective.h"
#include "train/runs/metrics_log.h"
#include "train/runs/run_inputs.h"

namespace fpo::train {

// When an evaluation takes place.
struct EvaluationMoment {
  int64_t step = 0;
  int64_t total_steps = 0;
  double epoch = 0;
  int64_t nth = 1;  // of this step: weights that are moved at the end are measured again
};

// The evaluations of a run: measured on all ranks, logged and announced, and what follows from
// them. Not thread-safe.
class RunEvaluations {
 public:
  struct Parts {
    const JobConfig& job;
    const RunInputs& inputs;
    const Objective& objective;
    EventSink& events;
    ProcessGroup& group;
    std::function<void(const std::string&)> warn;
  };

  RunEvaluations(Parts parts, MicroBatchSize::Options micro_batches);

  // Without evaluation pairs nothing. `log` may be null. `state` takes what evaluate.patience goes
  // by; null: this evaluation decides nothing. Collective.
  absl::Status Evaluate(const EvaluationMoment& moment, MetricsLog* log, EarlyStopState* state);

  const EarlyStop& early_stop() const { return early_stop_; }
  // What a checkpoint of the step is compared by; nothing when the last evaluation is of another.
  std::optional<double> ScoreAt(int64_t step) const;
  bool IsOf(int64_t step) const { return step == step_ && !stale_; }
  // The weights are no longer those that were measured.
  void Forget() { stale_ = true; }
  bool is_stale() const { return stale_; }

  const std::map<std::string, double>& last() const { return last_; }
  const std::vector<ContractResult>& contracts() const { return contracts_; }  // of the last
  double seconds() const { return seconds_; }
  MicroBatchSize& micro_batch() { return micro_batch_; }

 private:
  Parts parts_;
  MicroBatchSize micro_batch_;
  const EarlyStop early_stop_;
  int64_t step_ = -1;
  bool stale_ = false;
  double seconds_ = 0;
  std::map<std::string, double> last_;
  std::vector<ContractResult> contracts_;
};

}  // namespace fpo::train
