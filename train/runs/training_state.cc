#include "train/runs/training_state.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/formats/tensor_type.h"

namespace fpo::train {
namespace {

absl::Status Differs(const std::string& what, const std::string& was, const std::string& is) {
  return absl::InvalidArgumentError(absl::StrCat(
      "the checkpoint was made with ", what, " ", was, " but this run has ", is,
      "; resume with the same job, model and data, or start in another output folder"));
}

nlohmann::ordered_json BudgetJson(const BudgetState& budget) {
  return {{"steps", budget.steps},
          {"first_loss", budget.first_loss},
          {"loss", budget.loss},
          {"share", budget.share},
          {"settled", budget.settled},
          {"near_step", budget.near_step},
          {"log_lambda", budget.log_lambda}};
}

BudgetState ParseBudget(const nlohmann::json& json) {
  return {json.at("steps").get<int64_t>(),    json.at("first_loss").get<double>(),
          json.at("loss").get<double>(),      json.at("share").get<double>(),
          json.at("settled").get<double>(),   json.at("near_step").get<int64_t>(),
          json.at("log_lambda").get<double>()};
}

nlohmann::ordered_json EarlyStopJson(const EarlyStopState& state) {
  nlohmann::ordered_json json = {{"best_step", state.best_step}, {"waited", state.waited}};
  if (state.best.has_value()) json["best"] = *state.best;
  return json;
}

EarlyStopState ParseEarlyStop(const nlohmann::json& json) {
  EarlyStopState state;
  if (json.contains("best")) state.best = json.at("best").get<double>();
  state.best_step = json.at("best_step").get<int64_t>();
  state.waited = json.at("waited").get<int64_t>();
  return state;
}

constexpr char kStepName[] = "step";  // of the optimizer's state: its updates

// The headers alone, so that nothing is changed when something does not fit.
absl::Status CheckStored(const StoredTensors& stored, const NamedTensors& own) {
  for (const auto& [name, tensor] : own) {
    if (!stored.Contains(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("optimizer state: tensor \"", name, "\" is missing from the checkpoint"));
    }
    FPO_ASSIGN_OR_RETURN(const TensorEntry entry, stored.Entry(name));
    FPO_ASSIGN_OR_RETURN(const std::string type, TensorTypeName(tensor.scalar_type()));
    if (entry.shape == tensor.sizes().vec() && entry.dtype == type) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "optimizer state: tensor \"", name, "\" is ", entry.dtype, " ", ShapeText(entry.shape),
        "; expected ", type, " ", ShapeText(tensor.sizes().vec())));
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> StoredStep(const StoredTensors& stored) {
  FPO_ASSIGN_OR_RETURN(const at::Tensor step, stored.Tensor(kStepName));
  const auto updates = step.item<int64_t>();
  if (updates >= 0) return updates;
  return absl::InvalidArgumentError(absl::StrCat("optimizer state: step is ", updates));
}

// One tensor at a time: of those that lie in several files only one is in memory twice.
absl::Status CopyStored(const StoredTensors& stored, const NamedTensors& own) {
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : own) {
    if (name == kStepName) continue;
    FPO_ASSIGN_OR_RETURN(const at::Tensor value, stored.Tensor(name));
    tensor.copy_(value);
    AdvanceWork(0);
  }
  return absl::OkStatus();
}

TensorMap ToMap(const NamedTensors& tensors) { return TensorMap(tensors.begin(), tensors.end()); }

}  // namespace

std::string TrainingState::Json() const {
  nlohmann::ordered_json json;
  json["version"] = 1;
  json["step"] = step;
  json["world"] = world;
  json["seed"] = seed;
  json["data_digest"] = data_digest;
  json["model_digest"] = model_digest;
  if (!adapter.empty()) json["adapter"] = adapter;
  json["model_path"] = model_path;
  json["recipe_id"] = recipe_id;
  json["reference_probe"] = reference_probe;
  json["train_seconds"] = train_seconds;
  if (budget.steps > 0) json["budget"] = BudgetJson(budget);
  if (early_stop != EarlyStopState{}) json["early_stop"] = EarlyStopJson(early_stop);
  json["tokens_per_microbatch"] = tokens_per_microbatch;
  return json.dump(2) + "\n";
}

absl::StatusOr<TrainingState> TrainingState::Parse(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  TrainingState state;
  try {
    state.step = json.at("step").get<int64_t>();
    state.world = json.at("world").get<int64_t>();
    state.seed = json.at("seed").get<uint64_t>();
    state.data_digest = json.at("data_digest").get<std::string>();
    state.model_digest = json.at("model_digest").get<std::string>();
    state.adapter = json.value("adapter", std::string());
    state.model_path = json.value("model_path", std::string());
    state.recipe_id = json.at("recipe_id").get<std::string>();
    state.reference_probe = json.value("reference_probe", std::vector<double>());
    state.train_seconds = json.at("train_seconds").get<double>();
    state.tokens_per_microbatch = json.value("tokens_per_microbatch", int64_t{0});
    if (json.contains("budget")) state.budget = ParseBudget(json.at("budget"));
    if (json.contains("early_stop")) state.early_stop = ParseEarlyStop(json.at("early_stop"));
  } catch (const nlohmann::json::exception& error) {
    return absl::DataLossError(
        absl::StrCat("a checkpoint's state.json is not valid: ", error.what()));
  }
  return state;
}

void TrainingState::Adopt(const TrainingState& attempt, bool other_micro_batches) {
  world = attempt.world;
  model_path = attempt.model_path;
  if (other_micro_batches) tokens_per_microbatch = 0;
}

absl::Status TrainingState::CheckSameRun(const TrainingState& run) const {
  if (seed != run.seed) return Differs("seed", absl::StrCat(seed), absl::StrCat(run.seed));
  if (data_digest != run.data_digest) return Differs("data", data_digest, run.data_digest);
  if (model_digest != run.model_digest) return Differs("model", model_digest, run.model_digest);
  if (adapter != run.adapter) {
    const auto text = [](const std::string& words) { return words.empty() ? "none" : words; };
    return Differs("adapter", text(adapter), text(run.adapter));
  }
  if (recipe_id != run.recipe_id) return Differs("reference", recipe_id, run.recipe_id);
  return absl::OkStatus();
}

CheckpointContent MakeCheckpoint(const TrainingState& state, OptimizerTensors tensors) {
  CheckpointContent content;
  content.step = state.step;
  content.model = std::move(tensors.masters);
  content.optimizer = std::move(tensors.state);
  content.state_json = state.Json();
  return content;
}

absl::StatusOr<TrainingState> RestoreCheckpoint(const SavedCheckpoint& checkpoint,
                                                ShardedUpdate* update) {
  FPO_ASSIGN_OR_RETURN(TrainingState state, TrainingState::Parse(checkpoint.state_json));
  constFPO_RETURN_IF_ERROR(update->Restore(checkpoint.model, NamedTensors masters = optimizer->Masters(), moments = optimizer->State();
  FPO_RETURN_IF_ERROR(CheckStored(checkpoint.model, masters));
  FPO_RETURN_IF_ERROR(CheckStored(checkpoint.optimizer, moments));
  FPO_ASSIGN_OR_RETURN(const int64_t step, StoredStep(checkpoint.optimizer));
  FPO_RETURN_IF_ERROR(CopyStored(checkpoint.model, masters));
  FPO_RETURN_IF_ERROR(CopyStored(checkpoint.optimizer, moments));
  optimizer->Restored(step);
  return state;
}

}  // namespace fpo::train
