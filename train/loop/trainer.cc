#include "train/loop/trainer.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/failpoint.h"
#include "common/hash.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/device/process_memory.h"
#include "train/events/exit_status.h"
#include "train/events/stop_signal.h"
#include "train/loop/budget_end.h"
#include "train/optim/grad_clip.h"
#include "train/runs/data_plan.h"
#include "train/runs/run_contents.h"
#include "train/runs/start_checks.h"

namespace fpo::train {
namespace {

MicroBatchSize::Options MicroBatches(const JobConfig& job, c10::Device device) {
  return {job.batch.tokens_per_microbatch, job.retry.on_oom == "retry", device};
}

}  // namespace

Trainer::Trainer(const JobConfig& job, RunInputs& inputs, const RunFolder& folder,
                 const RunEnvironment& environment)
    : job_(job),
      inputs_(inputs),
      folder_(folder),
      environment_(environment),
      objective_(inputs.policy.model, inputs.objective, inputs.reference.get()),
      checkpoints_(
          folder.path(),
          {{job.checkpoint.keep_last, job.checkpoint.keep_best}, job.checkpoint.background},
          environment.events, environment.group),
      parts_(inputs.policy.model.device(), environment.measure),
      micro_batch_(WithWarnings(MicroBatches(job, inputs.policy.model.device()))),
      evaluations_({job, inputs, objective_, environment.events, environment.group,
                    [this](const std::string& words) { Warn(WarningEvent(words)); }},
                   WithWarnings(MicroBatches(job, inputs.policy.model.device()))),
      constraint_(job.method),
      budget_(job.constraint, job.method) {}

absl::StatusOr<std::unique_ptr<Trainer>> Trainer::Create(const JobConfig& job, RunInputs& inputs,
                                                         const RunFolder& folder,
                                                         const RunEnvironment& environment) {
  std::unique_ptr<Trainer> trainer(new Trainer(job, inputs, folder, environment));
  FPO_RETURN_IF_ERROR(trainer->Build());
  return trainer;
}

absl::Status Trainer::Build() {
  if (inputs_.train.size() == 0) {
    return absl::InvalidArgumentError(
        "no training pair was admitted; admission.json says what was dropped and why");
  }
  ProcessGroup& group = environment_.group;
  batcher_ = std::make_unique<Batcher>(
      MakeBatcher(job_, LengthsFor(objective_, inputs_.train, inputs_.train.size()), group.rank(),
                  group.world()));
  total_steps_ = TotalSteps(job_, *batcher_);

  const NamedTensors& parameters = inputs_.policy.model.Trained();
  FPO_ASSIGN_OR_RETURN(const Sharding sharding, ChooseSharding(job_.parallel.shard, group.world()));
  FPO_ASSIGN_OR_RETURN(
      update_, ShardedUpdate::Create(
                   parameters,
                   {sharding, job_.optimizer.name, MakeOptimizerOptions(job_.optimizer)}, group));
  FPO_ASSIGN_OR_RETURN(schedule_.kind, ParseScheduleKind(job_.schedule.name));
  schedule_.lr = job_.optimizer.lr;
  schedule_.warmup_steps = job_.schedule.warmup_steps;
  schedule_.total_steps = total_steps_;
  state_.world = environment_.group.world();
  state_.seed = static_cast<uint64_t>(job_.seed);
  state_.data_digest = ToHex(inputs_.train.digest());
  state_.model_digest = inputs_.policy.digest;
  state_.adapter = DescribeAdapter(inputs_);
  state_.model_path = std::filesystem::absolute(inputs_.policy.path).string();
  const Gemma& model = inputs_.policy.model;
  peak_flops_ = PeakFlopsOf(model.device(), model.dtype());
  const std::string missing = MissingDataSheet(model.device(), peak_flops_);
  if (!missing.empty()) Warn(WarningEvent(missing));
  if (inputs_.use.source != "records") return absl::OkStatus();
  state_.recipe_id = ToHex(RecipeId(inputs_.use.recipe));
  FPO_ASSIGN_OR_RETURN(
      state_.reference_probe,
      ReferenceProbe(inputs_, FirstPairs(*batcher_, inputs_.train, job_.reference.probe_pairs)));
  return absl::OkStatus();
}

absl::StatusOr<std::optional<SavedCheckpoint>> Trainer::LoadNewest(TrainingState* state) {
  std::vector<SkippedCheckpoint> skipped;
  const auto load = [&](const SavedCheckpoint& checkpoint) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(*state, RestoreCheckpoint(checkpoint, update_.get()));
    return absl::OkStatus();
  };
  auto checkpoint = LoadNewestCheckpoint(folder_.path(), load, &skipped);
  for (const auto& s : skipped) {
    TrainEvent event = s.bad ? BadCheckpointEvent(s.step, s.why) : WarningEvent(s.why);
    event.step = s.step;
    Warn(std::move(event));
  }
  if (absl::IsNotFound(checkpoint.status())) return std::nullopt;
  if (absl::IsDataLoss(checkpoint.status())) {
    Warn(WarningEvent(absl::StrCat("no checkpoint is readable, training starts again at step 0: ",
                                   checkpoint.status().message())));
    return std::nullopt;
  }
  FPO_RETURN_IF_ERROR(checkpoint.status());
  return *std::move(checkpoint);
}

// If each rank chose the newest checkpoint it finds, ranks could start from different steps: two
// hosts may see a shared folder differently, or one may fail to read it.
absl::Status Trainer::Resume() {
  const Work work("reading the newest checkpoint", 0, "");
  const bool leads = environment_.group.rank() == 0;
  TrainingState state;
  std::optional<SavedCheckpoint> checkpoint;
  if (leads) {
    FPO_ASSIGN_OR_RETURN(checkpoint, LoadNewest(&state));
  }
  FPO_RETURN_IF_ERROR(environment_.group.Barrier("reading the newest checkpoint"));
  CheckpointChoice found;
  if (checkpoint) found = {checkpoint->info.step, checkpoint->digest};
  FPO_ASSIGN_OR_RETURN(const CheckpointChoice choice, ChoiceOfRankZero(found, environment_.group));
  if (choice.step == 0) return absl::OkStatus();
  if (!leads) {
    FPO_ASSIGN_OR_RETURN(checkpoint, LoadChosen(choice, &state));
  }
  FPO_RETURN_IF_ERROR(environment_.group.Barrier("reading the checkpoint of rank 0"));
  FPO_RETURN_IF_ERROR(state.CheckSameRun(state_));
  FPO_RETURN_IF_ERROR(
      CompareProbes(state.reference_probe, state_.reference_probe, job_.model.dtype));
  state.Adopt(state_, ChangesMicroBatches(folder_.changes()));
  state_ = std::move(state);
  std::string micro_batches;
  if (state_.tokens_per_microbatch > 0) {
    micro_batch_.Limit(state_.tokens_per_microbatch);
    micro_batches = absl::StrCat(", with micro-batches of at most ", micro_batch_.tokens(),
                                 " tokens because larger ones did not fit into memory");
  }
  environment_.events.Emit(
      PhaseEvent("train", absl::StrCat("resuming from ", checkpoint->info.folder, " (step ",
                                       state_.step, " of ", total_steps_, ")", micro_batches)));
  return absl::OkStatus();
}

absl::StatusOr<SavedCheckpoint> Trainer::LoadChosen(const CheckpointChoice& choice,
                                                    TrainingState* state) {
  const std::string folder = folder_.File(absl::StrCat("checkpoints/step-", choice.step));
  auto checkpoint = OpenCheckpoint(folder);
  if (checkpoint.ok() && checkpoint->digest != choice.digest) {
    return FailWith(
        ExitCode::kStorage,
        absl::StrCat(folder, " is not the same for rank 0 and rank ", environment_.group.rank()));
  }
  auto restored = checkpoint.ok() ? RestoreCheckpoint(*checkpoint, update_.get())
                                  : absl::StatusOr<TrainingState>(checkpoint.status());
  if (!restored.ok()) {
    return FailWith(ExitCode::kStorage, absl::StrCat("rank 0 resumes from ", folder, ", this rank ",
                                                     "cannot: ", restored.status().message()));
  }
  *state = *std::move(restored);
  return checkpoint;
}

MicroBatchSize::Options Trainer::WithWarnings(MicroBatchSize::Options options) {
  options.warn = [this](const std::string& message) { Warn(WarningEvent(message)); };
  return options;
}

void Trainer::Warn(TrainEvent event) {
  warnings_.push_back(event.message);
  environment_.events.Emit(std::move(event));
}

double Trainer::EpochAt(int64_t step) const { return batcher_->EpochsAfter(step); }

std::string Trainer::AfterNotFinite() const {
  const std::vector<CheckpointInfo> checkpoints = ListCheckpoints(folder_.path());
  return absl::StrCat("; lower optimizer.lr, or use dtype float32; the last good checkpoint is ",
                      checkpoints.empty() ? "none" : checkpoints.front().folder);
}

// Unless gradients leave at once, the collective is GlobalBatchOf alone: each rank computes its
// share as its memory allows.
absl::StatusOr<StepShare> Trainer::ComputeShare() {
  StepInputs inputs{objective_, inputs_.train, *batcher_};
  inputs.layers = inputs_.policy.model.config().layers;
  inputs.step = state_.step;
  FPO_ASSIGN_OR_RETURN(inputs.global, GlobalBatchOf(inputs, &micro_batch_, environment_.group));
  inputs.parts = &parts_;
  auto share = ComputeGradients(inputs, &micro_batch_, update_.get());
  if (ExitCodeOf(share.status()) != ExitCode::kNotFinite) return share;
  return FailWith(ExitCode::kNotFinite, absl::StrCat(share.status().message(), AfterNotFinite()));
}

// Sums over the ranks. All go on with the micro-batches of the one that has least memory.
absl::StatusOr<BatchMetrics> Trainer::SumMetrics(BatchMetrics metrics) {
  const ProcessGroup& group = environment_.group;
  std::vector<double> sums = metrics.Pack();
  const auto values = static_cast<int64_t>(sums.size());
  sums.resize(sums.size() + static_cast<size_t>(group.world()), 0);  // a place for each rank
  sums[static_cast<size_t>(values + group.rank())] = static_cast<double>(micro_batch_.tokens());
  FPO_RETURN_IF_ERROR(environment_.group.Sum(&sums));
  const auto least = std::min_element(sums.begin() + values, sums.end());
  if (*least > 0 && *least < static_cast<double>(micro_batch_.tokens())) {
    micro_batch_.Limit(static_cast<int64_t>(*least));
    Warn(WarningEvent(absl::StrCat("rank ", least - sums.begin() - values,
                                   " ran out of memory in step ", state_.step + 1,
                                   "; from now on every rank computes ",
                                   "micro-batches of at most ", micro_batch_.tokens(), " tokens")));
  }
  sums.resize(static_cast<size_t>(values));
  metrics.Unpack(sums);
  return metrics;
}

absl::Status Trainer::ApplyGradients(const BatchStep& batch, Metrics* report) {
  FPO_ASSIGN_OR_RETURN(const double norm, update_->SumGradients());
  parts_.End("ranks_seconds");
  if (!std::isfinite(norm)) {
    return FailWith(
        ExitCode::kNotFinite,
        absl::StrCat("the gradient norm is ", norm, " at step ", state_.step + 1, ", rows ",
                     RowsOfStep(inputs_.train, batch), " of the training data", AfterNotFinite()));
  }
  const double lr = LearningRate(schedule_, state_.step + 1);
  const Work work(absl::StrCat("step ", state_.step + 1, ": updating the weights"), 0, "");
  AdvanceWork(0);
  FPO_RETURN_IF_ERROR(update_->Step(lr, ClipFactor(norm, job_.optimizer.max_grad_norm)));
  parts_.End("update_seconds");
  FPO_FAILPOINT("train.step.updated");
  (*report)["lr"] = lr;
  (*report)["grad_norm"] = norm;
  return absl::OkStatus();
}

absl::StatusOr<Metrics> Trainer::TrainStep(int64_t step) {
  FPO_FAILPOINT("train.step.begin");
  const absl::Time start = absl::Now();
  parts_.Start();
  update_->TakeTraffic();
  const BatchStep batch = batcher_->Step(step);
  objective_.SetAlpha(budget_.Alpha(state_.budget));
  FPO_ASSIGN_OR_RETURN(StepShare share, ComputeShare());
  FPO_ASSIGN_OR_RETURN(const BatchMetrics metrics, SumMetrics(share.metrics));
  Metrics report = metrics.Report(objective_.preference());
  budget_.Observe(&report, &state_.budget);
  FPO_RETURN_IF_ERROR(ApplyGradients(batch, &report));
  state_.step = step + 1;
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  state_.train_seconds += seconds;
  report["step_seconds"] = seconds;
  report.insert(parts_.seconds().begin(), parts_.seconds().end());
  report.merge(Utilisation(metrics[BatchMetrics::kModelFlops] /
                               (seconds * static_cast<double>(environment_.group.world())),
                           peak_flops_));
  report["cache_wait_seconds"] = share.reference_seconds;
  report["tokens_per_microbatch"] = static_cast<double>(micro_batch_.tokens());
  if (environment_.group.world() > 1) report.merge(update_->TakeTraffic().Metrics());
  report.merge(PeakMemory(inputs_.policy.model.device()));
  return report;
}

absl::Status Trainer::AfterStep(const Metrics& report) {
  last_step_ = report;
  const std::string words = budget_.active() ? "" : constraint_.Observe(report);
  if (!words.empty()) Warn(WarningEvent(words));
  if (log_) FPO_RETURN_IF_ERROR(log_->Append(state_.step, EpochAt(state_.step), report));
  TrainEvent event = StepEvent(state_.step, total_steps_, report);
  event.metrics["epoch"] = EpochAt(state_.step);
  environment_.events.Emit(std::move(event));
  AdvanceWork();                                                       // of the steps
  const bool lands = state_.step == total_steps_ && budget_.active();  // evaluated after it
  if (!lands && (state_.step == total_steps_ || Due(job_.evaluate.every_steps))) {
    FPO_RETURN_IF_ERROR(Evaluate());
  }
  FPO_FAILPOINT("train.step.recorded");
  FPO_RETURN_IF_ERROR(checkpoints_.Poll());
  const bool ends = state_.step == total_steps_ || StopsEarly();
  // What is not published stays as a checkpoint.
  const bool kept = job_.checkpoint.every_steps == 0 ||
                    RefusesToPublish(job_.constraint, contracts()) ||
                    (budget_.active() && !job_.constraint.sets.empty());
  const bool due = Due(job_.checkpoint.every_steps) || (ends && kept);
  return due ? WriteCheckpoint(ends) : absl::OkStatus();
}

bool Trainer::StopsEarly() const {
  return state_.step < total_steps_ && evaluations_.early_stop().Ends(state_.early_stop);
}

std::string Trainer::stopped_early() const {
  if (!StopsEarly()) return "";
  return evaluations_.early_stop().Describe(state_.step, total_steps_, state_.early_stop);
}

absl::Status Trainer::WriteCheckpoint(bool last) {
  const Work work({"", absl::StrCat("checkpoint of step ", state_.step), 0, 0, ""});
  if (micro_batch_.halved()) state_.tokens_per_microbatch = micro_batch_.tokens();
  const std::optional<double> score = evaluations_.ScoreAt(state_.step);
  if (update_->sharding() != Sharding::kNone && checkpoints_.in_parts()) {
    return checkpoints_.WriteShards(MakeShard(state_, *update_, environment_.group.rank()),
                                    state_.Json(), score, last);
  }
  FPO_ASSIGN_OR_RETURN(OptimizerTensors whole, update_->Whole());
  return checkpoints_.Write(MakeCheckpoint(state_, std::move(whole)), score, last);
}

// All ranks stop at the same step: a stop request to one is a request to all.
absl::StatusOr<bool> Trainer::ShouldStop() {
  if (environment_.commands != nullptr) {
    FPO_ASSIGN_OR_RETURN(const std::optional<TrainCommand> command, environment_.commands->Poll());
    if (command.has_value() && command->kind == "stop") RequestStop();
  }
  std::vector<double> asked = {StopRequested() ? 1.0 : 0.0};
  FPO_RETURN_IF_ERROR(environment_.group.Sum(&asked));
  return asked[0] > 0;
}

absl::Status Trainer::Start() {
  FPO_ASSIGN_OR_RETURN(const std::string note, checkpoints_.FindFolder());
  if (!note.empty()) Warn(WarningEvent(note));
  if (environment_.group.rank() == 0) {
    FPO_ASSIGN_OR_RETURN(
        log_, MetricsLog::Open(folder_.File("metrics.jsonl"), state_.step > 0 ? state_.step : -1));
  }
  if (state_.step > 0) return absl::OkStatus();
  FPO_RETURN_IF_ERROR(CheckStart(job_, inputs_, *batcher_,
                                 [this](const std::string& words) { Warn(WarningEvent(words)); }));
  return Evaluate();
}

absl::Status Trainer::Run() {
  const absl::Status status = RunSteps();
  if (status.ok()) return checkpoints_.Finish();
  checkpoints_.Abandon();
  return status;
}

// After the last checkpoint, which holds what training left: a run that is resumed there, or goes
// on for more steps, is the one that was never moved.
absl::Status Trainer::EndOnBudget() {
  if (!budget_.active()) return absl::OkStatus();
  const BudgetEnd end{budget_,
                      state_.budget,
                      inputs_,
                      objective_,
                      job_.evaluate.pairs,
                      *update_,
                      evaluations_.micro_batch(),
                      environment_.group};
  FPO_ASSIGN_OR_RETURN(const DivergenceBudget::Conclusion conclusion, fpo::train::EndOnBudget(end));
  last_step_["constraint/moved"] = conclusion.moved;
  last_step_["constraint/held"] = conclusion.held ? 1 : 0;
  if (conclusion.moved != 1) evaluations_.Forget();
  if (conclusion.held) {
    environment_.events.Emit(PhaseEvent("train", conclusion.text));
  } else {
    Warn(WarningEvent(conclusion.text));
  }
  return absl::OkStatus();
}

absl::Status Trainer::RunSteps() {
  const Work steps({"train", "", state_.step, total_steps_, "steps"});
  FPO_RETURN_IF_ERROR(Start());
  FreeDecoders(&inputs_.objective.saes);
  while (state_.step < total_steps_ && !StopsEarly()) {
    FPO_ASSIGN_OR_RETURN(const Metrics report, TrainStep(state_.step));
    FPO_RETURN_IF_ERROR(AfterStep(report));
    FPO_ASSIGN_OR_RETURN(const bool stop, ShouldStop());
    if (!stop || state_.step == total_steps_ || StopsEarly()) continue;
    if (!Due(job_.checkpoint.every_steps)) FPO_RETURN_IF_ERROR(WriteCheckpoint(/*last=*/true));
    FPO_RETURN_IF_ERROR(checkpoints_.Finish());
    return FailWith(
        ExitCode::kStopped,
        absl::StrCat("stopped on request after step ", state_.step, " of ", total_steps_,
                     "; a checkpoint was written; continue with --resume"));
  }
  if (StopsEarly()) environment_.events.Emit(PhaseEvent("train", stopped_early()));
  FPO_RETURN_IF_ERROR(EndOnBudget());
  // A run resumed after its last step still has to report its result, and one whose weights were
  // moved that of the moved ones.
  if (evaluations_.IsOf(state_.step)) return absl::OkStatus();
  EvaluationMoment end = Now();
  if (StopsEarly() && evaluations_.is_stale()) end.nth = 2;
  return evaluations_.Evaluate(end, log_.get(), nullptr);
}

}  // namespace fpo::train
