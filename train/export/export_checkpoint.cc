#include "train/export/export_checkpoint.h"

#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files/posix_status.h"
#include "common/job/job_file.h"
#include "common/status_macros.h"
#include "train/chat/turn_record.h"
#include "train/checkpoint/checkpoint_reader.h"
#include "train/events/exit_status.h"
#include "train/export/export_policy.h"
#include "train/export/merge_adapter.h"
#include "train/export/missing_tokenizer_files.h"
#include "train/export/model_card.h"
#include "train/export/peft_folder.h"
#include "train/loop/model_loader.h"
#include "train/runs/training_state.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

bool Exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

std::string WholePath(const std::string& path) {
  fs::path whole = fs::absolute(path).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).string();
}

absl::Status CheckIsCheckpoint(const std::string& folder) {
  if (Exists(folder + "/manifest.json")) return absl::OkStatus();
  if (!Exists(folder)) return absl::NotFoundError(absl::StrCat("there is no folder ", folder));
  const std::vector<CheckpointInfo> found = ListCheckpoints(folder);
  if (found.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        folder, " is not a checkpoint (it has no manifest.json); name RUN/checkpoints/step-N"));
  }
  return absl::InvalidArgumentError(absl::StrCat(folder, " is a run; name one of its ",
                                                 found.size(), " checkpoints, for example ",
                                                 found.front().folder));
}

absl::Status CheckIsFree(const std::string& out) {
  std::error_code error;
  if (!fs::exists(out, error) || fs::is_empty(out, error)) return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrCat(out, " exists and is not empty; choose another --out"));
}

absl::StatusOr<JobConfig> JobOf(const CheckpointExport& request, const std::string& run) {
  const std::string path = request.job.empty() ? run + "/job.yaml" : request.job;
  auto job = ReadJobFile(path);
  if (!job.ok() && request.job.empty() && !Exists(path)) {
    return absl::NotFoundError(absl::StrCat("the checkpoint is not in the folder of its run (no ",
                                            path, "); give the run's job file with --job"));
  }
  return job;
}

absl::Status CheckSource(const std::string& source, const TrainingState& state) {
  FPO_ASSIGN_OR_RETURN(const ModelIdentity identity, IdentifyModel(source));
  if (identity.digest == state.model_digest) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "the run started from another model than that of ", source, " (digest ", state.model_digest,
      ", there ", identity.digest, "); name its folder with --model"));
}

struct TrainedAdapter {
  const JobConfig& job;
  const StoredTensors& tensors;
  bool merge;
};

absl::Status ExportAdapter(const TrainedAdapter& trained, const PolicyExport& made) {
  const AdapterSection& section = trained.job.adapter;
  FPO_ASSIGN_OR_RETURN(const LoraConfig lora,
                       MakeLoraConfig(section.rank, section.alpha, section.targets));
  FPO_ASSIGN_OR_RETURN(const GemmaConfig config, ReadModelConfig(trained.job.model.path));
  NamedTensors tensors;
  for (const std::string& name : LoraNames(config, lora)) {
    if (!trained.tensors.Contains(name)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the checkpoint has no tensor ", name, ", which the adapter of the run's job file has"));
    }
    FPO_ASSIGN_OR_RETURN(const at::Tensor stored, trained.tensors.Tensor(name));
    tensors.emplace_back(name, stored.clone());
  }
  if (!trained.merge) {
    return AsStorageError(WritePeftFolder({made.target, trained.job.model.path, made.serving.card},
                                          config, {lora, std::move(tensors), "", ""}));
  }
  ModelRequest request{trained.job.model.path, trained.job.model.dtype};
  request.packing = section.packing();
  FPO_ASSIGN_OR_RETURN(LoadedModel base, LoadModel(request));
  base.model.Adapt(lora, std::move(tensors));
  return ExportPolicy(Lazy(base.model.Merged()), made);
}

absl::Status ExportForeignAdapter(const CheckpointExport& request, const std::string& folder,
                                  EventSink& events) {
  if (!request.merge || !request.job.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        folder, " is an adapter in PEFT's form already; --merge, without --job, makes a model of ",
        "it and its base (--model DIR; default: the folder that it names)"));
  }
  FPO_RETURN_IF_ERROR(CheckIsFree(request.out));
  return MergeAdapter({folder, request.model, WholePath(request.out)}, events);
}

}  // namespace

absl::Status ExportCheckpoint(const CheckpointExport& request, EventSink& events) {
  const std::string folder = WholePath(request.checkpoint);
  const std::string run = fs::path(folder).parent_path().parent_path().string();
  if (IsPeftFolder(folder)) return ExportForeignAdapter(request, folder, events);
  FPO_RETURN_IF_ERROR(CheckIsCheckpoint(folder));
  FPO_RETURN_IF_ERROR(CheckIsFree(request.out));
  FPO_ASSIGN_OR_RETURN(JobConfig job, JobOf(request, run));
  if (!request.model.empty()) job.model.path = WholePath(request.model);
  FPO_ASSIGN_OR_RETURN(const at::ScalarType dtype, ParseDtype(job.model.dtype));
  FPO_ASSIGN_OR_RETURN(const SavedCheckpoint checkpoint, ReadCheckpoint(folder));
  FPO_ASSIGN_OR_RETURN(const TrainingState state, TrainingState::Parse(checkpoint.state_json));
  FPO_RETURN_IF_ERROR(CheckSource(job.model.path, state));
  FPO_ASSIGN_OR_RETURN(const std::optional<TurnRecord> turns, ReadTurnRecord(run));
  if (!turns.has_value()) {
    events.Emit(WarningEvent(absl::StrCat(
        run,
        " does not say how its conversations were rendered (no chat.json): chat template and "
        "stop ids are those of ",
        job.model.path)));
  }
  PolicyExport made{job.model.path, WholePath(request.out), dtype, ServingFilesOf(turns)};
  AddMissingTokenizerFiles(job.model.path, events, &made.serving);
  const std::string record = ReadFile(run + "/run.json").value_or("{}");
  const ModelCardFacts facts{state.step, false, turns.has_value() && !turns->turns.empty()};
  made.serving.card = ModelCard(job, record, facts);
  if (state.adapter.empty()) {
    FPO_ASSIGN_OR_RETURN(const LazyTensors trained, checkpoint.model.ForWriting());
    FPO_RETURN_IF_ERROR(ExportPolicy(trained, made));
  } else {
    FPO_RETURN_IF_ERROR(ExportAdapter({job, checkpoint.model, request.merge}, made));
  }
  events.Emit(ResultEvent(made.target, state.step, {}));
  return absl::OkStatus();
}

}  // namespace fpo::train
