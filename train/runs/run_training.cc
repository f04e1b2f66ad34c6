#include "train/runs/run_training.h"

#include <ATen/Parallel.h>

#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/failpoint.h"
#include "common/job/job_file.h"
#include "common/outputs/folder_manifest.h"
#include "common/status_macros.h"
#include "train/device/device_name.h"
#include "train/device/process_memory.h"
#include "train/events/exit_status.h"
#include "train/export/export_policy.h"
#include "train/export/missing_tokenizer_files.h"
#include "train/export/model_card.h"
#include "train/export/peft_folder.h"
#include "train/features/features_of_run.h"
#include "train/loop/model_loader.h"
#include "train/reference/reference_plan.h"
#include "train/report/run_report.h"
#include "train/runs/prepare_data.h"
#include "train/runs/rank_agreement.h"
#include "train/runs/run_contents.h"
#include "train/runs/run_record.h"

namespace fpo::train {
namespace {

double SecondsSince(absl::Time start) { return absl::ToDoubleSeconds(absl::Now() - start); }

std::string DescribeFinishedRun(const FolderRun& run, const std::string& job_id) {
  if (!job_id.empty() && run.job_id == job_id) return "an earlier attempt finished this run";
  return absl::StrCat(
      "nothing was trained: ", run.folder, " holds ", run.Describe(),
      ", and its result is reported again; to train again, choose another output folder ",
      "or remove that one");
}

// ", gradients and optimiser state sharded over 4 ranks"
std::string SharedOver(Sharding sharding, int64_t world) {
  return world == 1 ? "" : absl::StrCat(", ", DescribeSharding(sharding, world));
}

// One `run`: its stages in the order in which they happen.
class Run {
 public:
  Run(const JobConfig& job, const RunOptions& options, const RunFolder& folder,
      const RunEnvironment& environment)
      : job_(job), options_(options), folder_(folder), environment_(environment) {}

  absl::Status Prepare();
  absl::Status Train();

 private:
  std::string ChooseReference() const;
  absl::Status KeepPreparedAgain();
  absl::Status Finish(const Trainer& trainer, const RunInputs& inputs);
  absl::Status FinishUnpublished(const Trainer& trainer, const RunInputs& inputs);
  absl::Status Export(const Trainer& trainer, const RunInputs& inputs);
  absl::Status CompareFeatures(const Trainer& trainer, const RunInputs& inputs);
  RunRecord Record(const Trainer& trainer, const RunInputs& inputs, bool finished) const;
  absl::Status WriteRecord(const Trainer& trainer, const RunInputs& inputs, bool finished) const {
    return folder_.WriteRunJson(RunRecordJson(Record(trainer, inputs, finished), job_, inputs));
  }
  // The report of a run that was stopped or failed, as far as it came. What ended the run matters
  // more than a report that could not be written.
  void ReportUnfinished(const Trainer& trainer, const RunInputs& inputs) const {
    if (WriteRecord(trainer, inputs, false).ok()) WriteRunReport(folder_.path()).IgnoreError();
  }
  RunResult CollectResult(const Trainer& trainer, const RunInputs& inputs) const;
  bool Leads() const { return environment_.group.rank() == 0; }

  const JobConfig& job_;
  const RunOptions& options_;
  const RunFolder& folder_;
  const RunEnvironment& environment_;
  std::string prepared_;
  std::vector<std::string> advice_;
  bool model_told_ = false;  // its warnings came before the data was read
  std::map<std::string, double> timings_;
  std::map<std::string, std::string> contents_;
  std::string model_manifest_;  // of what was exported
};

// Whether what was prepared before is what this job would prepare: what its rows are made of is
// named as it was then.
bool PreparedAlike(const std::vector<JobDifference>& changes) {
  for (const JobDifference& change : changes) {
    if (change.is_path && change.key != "reference.path" && !absl::StartsWith(change.key, "sae.")) {
      return false;
    }
  }
  return true;
}

absl::Status Run::Prepare() {
  prepared_ = options_.prepared;
  if (!prepared_.empty()) return absl::OkStatus();
  const bool alike = PreparedAlike(folder_.changes());
  // Beside the first, until it is known that both hold the same.
  prepared_ = folder_.File(alike ? "prepared" : "prepared.again");
  const bool reuse = folder_.state() == RunFolder::State::kStarted && alike &&
                     std::filesystem::exists(prepared_ + "/prepare.json");
  if (!reuse && Leads()) {
    const absl::Time start = absl::Now();
    FPO_RETURN_IF_ERROR(CheckModel(job_.model.path, WarnOn(environment_.events)));
    model_told_ = true;
    FPO_ASSIGN_OR_RETURN(const PrepareSummary summary,
                         PrepareData(job_, prepared_, environment_.events));
    timings_["prepare_seconds"] = SecondsSince(start);
    advice_ = summary.warnings;
  }
  return environment_.group.Barrier("preparing the data");
}

std::string Run::ChooseReference() const {
  const bool online = job_.reference.source == "online" && options_.reference == "auto";
  return online ? "online" : options_.reference;
}

// Every rank has opened the files.
absl::Status Run::KeepPreparedAgain() {
  if (prepared_ != folder_.File("prepared.again")) return absl::OkStatus();
  if (environment_.group.world() > 1) {
    FPO_RETURN_IF_ERROR(environment_.group.Barrier("comparing the prepared data"));
  }
  const std::string first = folder_.File("prepared");
  std::error_code error;
  if (Leads()) {
    std::filesystem::remove_all(first, error);
    std::filesystem::rename(prepared_, first, error);
  }
  if (!error) prepared_ = first;
  return absl::OkStatus();
}

absl::Status Run::Train() {
  absl::Time start = absl::Now();
  RunInputOptions input;
  input.prepared = prepared_;
  input.reference = ChooseReference();
  input.auto_file = folder_.File("reference.fpr");
  input.device = options_.device;
  input.model_told = model_told_;
  // The other ranks wait for rank 0's records and then find nothing to compute.
  constexpr char kFirst[] = "loading the model and computing the reference";
  if (!Leads()) FPO_RETURN_IF_ERROR(environment_.group.Barrier(kFirst));
  FPO_ASSIGN_OR_RETURN(RunInputs inputs, LoadRunInputs(job_, input, environment_.events));
  if (Leads()) FPO_RETURN_IF_ERROR(environment_.group.Barrier(kFirst));
  if (environment_.group.world() > 1) {  // the digests read every token
    FPO_RETURN_IF_ERROR(environment_.group.Barrier("loading the model"));
    FPO_RETURN_IF_ERROR(CheckRanksAgree(SharedFactsOf(job_, inputs), environment_.group));
  }
  FPO_ASSIGN_OR_RETURN(contents_, ContentsOf(job_, inputs));
  FPO_RETURN_IF_ERROR(CheckSameContents(folder_.path(), folder_.changes(), contents_));
  FPO_RETURN_IF_ERROR(KeepPreparedAgain());
  if (const std::string changes = DescribeChanges(folder_.changes()); !changes.empty()) {
    environment_.events.Emit(PhaseEvent("train", changes));
    advice_.push_back(changes);
  }
  timings_["load_seconds"] = SecondsSince(start) - inputs.use.seconds;
  timings_["reference_seconds"] = inputs.use.seconds;
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<Trainer> trainer,
                       Trainer::Create(job_, inputs, folder_, environment_));
  if (options_.resume) FPO_RETURN_IF_ERROR(trainer->Resume());
  if (Leads()) {
    FPO_RETURN_IF_ERROR(folder_.WriteJob(job_));
    FPO_RETURN_IF_ERROR(folder_.CopyFromPrepared(prepared_));
    FPO_RETURN_IF_ERROR(WriteRecord(*trainer, inputs, false));
  }
  for (const std::string& sentence : JobWarnings(job_, trainer->total_steps())) {
    if (trainer->step() == 0) environment_.events.Emit(WarningEvent(sentence));
    advice_.push_back(sentence);
  }
  environment_.events.Emit(PhaseEvent(
      "train", absl::StrCat("training ", job_.method.name, " for ", trainer->total_steps(),
                            " steps of ", job_.batch.pairs, " pairs",
                            SharedOver(trainer->sharding(), environment_.group.world()))));
  const absl::Status ran = trainer->Run();
  if (!ran.ok() && Leads()) ReportUnfinished(*trainer, inputs);
  FPO_RETURN_IF_ERROR(ran);
  if (!environment_.measure && RefusesToPublish(job_.constraint, trainer->contracts())) {
    return FinishUnpublished(*trainer, inputs);
  }
  return Leads() ? Finish(*trainer, inputs) : absl::OkStatus();
}

RunResult Run::CollectResult(const Trainer& trainer, const RunInputs& inputs) const {
  Metrics result = trainer.last_evaluation();
  EventTexts texts = DeviceTexts(options_.device);
  for (const char* name :
       {"loss", "rewards/accuracies", "rewards/margins", "step_seconds", "constraint/alpha",
        "constraint/violation", "constraint/moved", "constraint/held"}) {
    const auto it = trainer.last_step().find(name);
    if (it != trainer.last_step().end()) result[name] = it->second;
  }
  if (const std::string words = trainer.stopped_early(); !words.empty()) {
    result["early_stop/best_step"] = static_cast<double>(trainer.early_stop().best_step);
    texts[kStoppedEarlyText] = words;
  }
  result["train_seconds"] = trainer.train_seconds();
  result["reference_seconds"] = inputs.use.seconds;
  result["reference_records_computed"] = static_cast<double>(inputs.use.computed);
  result.merge(PeakMemory(options_.device));
  if (!model_manifest_.empty()) texts[kModelManifestText] = model_manifest_;
  return {std::move(result), std::move(texts)};
}

RunRecord Run::Record(const Trainer& trainer, const RunInputs& inputs, bool finished) const {
  RunRecord record;
  record.version = options_.version;
  record.device = DeviceClass(options_.device);
  record.device_texts = DeviceTexts(options_.device);
  record.threads = at::get_num_threads();
  record.world = environment_.group.world();
  record.sharding = ShardingName(trainer.sharding());
  record.steps = trainer.step();
  record.total_steps = trainer.total_steps();
  record.job_id = HolderOf(options_.attempt).job_id;
  record.stopped_early = trainer.stopped_early();
  record.finished = finished;
  record.finished_at = absl::Now();
  record.timings = timings_;
  record.timings["train_seconds"] = trainer.train_seconds();
  record.timings["evaluate_seconds"] = trainer.evaluate_seconds();
  record.timings["checkpoint_seconds"] = trainer.checkpoint_seconds();
  if (finished) record.result = CollectResult(trainer, inputs);
  record.contents = contents_;
  record.warnings = advice_;
  if (!record.stopped_early.empty()) record.warnings.push_back(record.stopped_early);
  record.warnings.insert(record.warnings.end(), trainer.warnings().begin(),
                         trainer.warnings().end());
  return record;
}

absl::Status Run::Export(const Trainer& trainer, const RunInputs& inputs) {
  FPO_ASSIGN_OR_RETURN(const std::optional<TurnRecord> turns, ReadTurnRecord(prepared_));
  const Gemma& model = inputs.policy.model;
  PolicyExport request{job_.model.path, folder_.File("model"), model.dtype(),
                       ServingFilesOf(turns)};
  AddMissingTokenizerFiles(job_.model.path, environment_.events, &request.serving);
  const ModelCardFacts facts{trainer.step(), true, turns.has_value() && !turns->turns.empty()};
  request.serving.card =
      ModelCard(job_, RunRecordJson(Record(trainer, inputs, true), job_, inputs), facts);
  FPO_RETURN_IF_ERROR(ExportPolicy(Lazy(model.Merged()), request));
  if (model.lora() == nullptr) return absl::OkStatus();
  const PeftExport adapter{folder_.File("adapter"), job_.model.path, request.serving.card};
  return AsStorageError(
      WritePeftFolder(adapter, model.config(), {*model.lora(), model.Trained(), "", ""}));
}

// By now the run is whole and recorded: a process that dies here has lost nothing else.
absl::Status Run::CompareFeatures(const Trainer& trainer, const RunInputs& inputs) {
  const absl::StatusOr<double> seconds =
      WriteFeaturesOfRun(job_, inputs, folder_.path(), environment_.events);
  if (seconds.ok() && *seconds == 0) return absl::OkStatus();
  if (seconds.ok()) {
    timings_["features_seconds"] = *seconds;
  } else {
    advice_.push_back(NoFeaturesWarning(seconds.status(), folder_.path()));
    environment_.events.Emit(WarningEvent(advice_.back()));
  }
  FPO_RETURN_IF_ERROR(WriteRecord(trainer, inputs, true));
  return AsStorageError(WriteRunReport(folder_.path()));
}

absl::Status Run::Finish(const Trainer& trainer, const RunInputs& inputs) {
  environment_.events.Emit(PhaseEvent("finish"));
  EmptyDeviceCache(options_.device);  // files are mapped from here on
  FPO_FAILPOINT("finish.begin");
  const absl::Time start = absl::Now();
  if (!environment_.measure) {
    FPO_RETURN_IF_ERROR(Export(trainer, inputs));
    FPO_ASSIGN_OR_RETURN(model_manifest_, ManifestDigest(folder_.File("model")));
  }
  timings_["export_seconds"] = SecondsSince(start);
  FPO_FAILPOINT("finish.exported");
  FPO_RETURN_IF_ERROR(WriteRecord(trainer, inputs, true));
  FPO_FAILPOINT("finish.recorded");
  FPO_RETURN_IF_ERROR(AsStorageError(WriteRunReport(folder_.path())));
  if (!environment_.measure) FPO_RETURN_IF_ERROR(CompareFeatures(trainer, inputs));
  RunResult result = CollectResult(trainer, inputs);
  environment_.events.Emit(ResultEvent(folder_.path(), trainer.step(), std::move(result.metrics),
                                       std::move(result.texts)));
  return absl::OkStatus();
}

// Every rank ends alike.
absl::Status Run::FinishUnpublished(const Trainer& trainer, const RunInputs& inputs) {
  if (Leads()) {
    FPO_RETURN_IF_ERROR(WriteRecord(trainer, inputs, false));
    FPO_RETURN_IF_ERROR(AsStorageError(WriteRunReport(folder_.path())));
  }
  const std::string checkpoint = absl::StrCat("checkpoints/step-", trainer.step());
  return UnpublishedError(trainer.contracts(), trainer.step(), folder_.File(checkpoint));
}

}  // namespace

absl::Status RunTraining(const JobConfig& job, const RunOptions& options,
                         const RunEnvironment& environment) {
  const OutputHolder holder = HolderOf(options.attempt);
  const bool leads = environment.group.rank() == 0;
  FPO_ASSIGN_OR_RETURN(const RunFolder folder,
                       RunFolder::Open(options.out, job, options.resume,
                                       leads ? std::optional(holder) : std::nullopt));
  if (folder.state() == RunFolder::State::kFinished) {
    FPO_ASSIGN_OR_RETURN(const RunResult result, ReadRunResult(folder.File("run.json")));
    environment.events.Emit(
        PhaseEvent("finish", DescribeFinishedRun(*folder.run(), holder.job_id)));
    environment.events.Emit(ResultEvent(folder.path(), 0, result.metrics, result.texts));
    return absl::OkStatus();
  }
  Run run(job, options, folder, environment);
  FPO_RETURN_IF_ERROR(run.Prepare());
  return run.Train();
}

}  // namespace fpo::train
