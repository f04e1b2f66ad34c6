#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "train/checkpoint/checkpoint_reader.h"
#include "train/collective/process_group.h"
#include "train/data/batcher.h"
#include "train/events/command_reader.h"
#include "train/events/event_sink.h"
#include "train/loop/micro_batch_size.h"
#include "train/loop/part_times.h"
#include "train/loop/step_gradients.h"
#include "train/loop/utilisation.h"
#include "train/objective/constraint_scale.h"
#include "train/objective/divergence_budget.h"
#include "train/objective/objective.h"
#include "train/objective/run_evaluations.h"
#include "train/optim/schedule.h"
#include "train/parallel/sharded_update.h"
#include "train/runs/metrics_log.h"
#include "train/runs/rank_agreement.h"
#include "train/runs/run_folder.h"
#include "train/runs/run_inputs.h"
#include "train/runs/training_state.h"
#include "train/saving/rank_checkpoints.h"

namespace fpo::train {

// The environment of a run: where events go, where commands come from, and the other ranks.
struct RunEnvironment {
  EventSink& events;
  CommandReader* commands;  // null: only signals stop the run
  ProcessGroup& group;
  bool measure = false;  // time the parts of each step; see PartTimes
};

using Metrics = std::map<std::string, double>;

// The training loop, from the newest checkpoint or the start to the last step. Not thread-safe.
class Trainer {
 public:
  // Keeps references to all arguments. `inputs.policy` is trained in place.
  static absl::StatusOr<std::unique_ptr<Trainer>> Create(const JobConfig& job, RunInputs& inputs,
                                                         const RunFolder& folder,
                                                         const RunEnvironment& environment);

  // Resumes, on every rank, from the newest checkpoint that rank 0 can load; without one the run
  // starts at step 0.
  absl::Status Resume();

  // At step 0 the start checks and the first evaluation, then all steps. Exit codes: stopped (a
  // checkpoint was written), not finite (names step and rows), storage, foreign cache.
  absl::Status Run();

  int64_t step() const { return state_.step; }
  int64_t total_steps() const { return total_steps_; }
  Sharding sharding() const { return update_->sharding(); }
  double train_seconds() const { return state_.train_seconds; }
  double evaluate_seconds() const { return evaluations_.seconds(); }
  double checkpoint_seconds() const { return checkpoints_.seconds(); }
  const Metrics& last_step() const { return last_step_; }
  const Metrics& last_evaluation() const { return evaluations_.last(); }
  // Of the last evaluation; the same on all ranks.
  const std::vector<ContractResult>& contracts() const { return evaluations_.contracts(); }
  // What evaluate.patience ended the run with, in a sentence; "" when it did not.
  std::string stopped_early() const;
  const EarlyStopState& early_stop() const { return state_.early_stop; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  Trainer(const JobConfig& job, RunInputs& inputs, const RunFolder& folder,
          const RunEnvironment& environment);
  absl::Status Build();
  absl::StatusOr<std::optional<SavedCheckpoint>> LoadNewest(TrainingState* state);  // rank 0
  absl::StatusOr<SavedCheckpoint> LoadChosen(const CheckpointChoice& choice, TrainingState* state);
  absl::Status Start();
  absl::Status EndOnBudget();
  absl::StatusOr<Metrics> TrainStep(int64_t step);
  absl::StatusOr<StepShare> ComputeShare();
  absl::StatusOr<BatchMetrics> SumMetrics(BatchMetrics metrics);
  MicroBatchSize::Options WithWarnings(MicroBatchSize::Options options);
  absl::Status ApplyGradients(const BatchStep& batch, Metrics* report);
  absl::Status AfterStep(const Metrics& report);
  EvaluationMoment Now() const { return {state_.step, total_steps_, EpochAt(state_.step)}; }
  absl::Status Evaluate() { return evaluations_.Evaluate(Now(), log_.get(), &state_.early_stop); }
  bool StopsEarly() const;
  absl::Status WriteCheckpoint(bool last);
  absl::Status RunSteps();
  absl::StatusOr<bool> ShouldStop();
  void Warn(TrainEvent event);  // emits it and keeps its message for the report
  double EpochAt(int64_t step) const;
  bool Due(int64_t every) const { return every > 0 && state_.step % every == 0; }
  std::string AfterNotFinite() const;

  const JobConfig& job_;
  RunInputs& inputs_;
  const RunFolder& folder_;
  RunEnvironment environment_;
  Objective objective_;
  std::unique_ptr<Batcher> batcher_;
  std::unique_ptr<ShardedUpdate> update_;
  std::unique_ptr<MetricsLog> log_;  // on rank 0
  RankCheckpoints checkpoints_;
  PartTimes parts_;
  MicroBatchSize micro_batch_;
  RunEvaluations evaluations_;
  ScheduleOptions schedule_;
  TrainingState state_;
  int64_t total_steps_ = 0;
  PeakFlops peak_flops_;
  Metrics last_step_;
  ConstraintScale constraint_;
  const DivergenceBudget budget_;
  std::vector<std::string> warnings_;
};

}  // namespace fpo::train
