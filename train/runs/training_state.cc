#include "train/runs/training_state.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
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

// InvalidArgument names a tensor that is missing or is not like that of this run.
RangeReader ReadStored(const StoredTensors& stored, TensorMap like) {
  return [&stored, like = std::move(like)](const std::string& name, int64_t begin,
                                           int64_t end) -> absl::StatusOr<at::Tensor> {
    if (!stored.Contains(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("optimizer state: tensor \"", name, "\" is missing from the checkpoint"));
    }
    const at::Tensor& own = like.at(name);
    FPO_ASSIGN_OR_RETURN(const TensorEntry entry, stored.Entry(name));
    FPO_ASSIGN_OR_RETURN(const std::string type, TensorTypeName(own.scalar_type()));
    if (entry.shape == own.sizes().vec() && entry.dtype == type) {
      return stored.Range(name, begin, end);
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "optimizer state: tensor \"", name, "\" is ", entry.dtype, " ", ShapeText(entry.shape),
        "; expected ", type, " ", ShapeText(own.sizes().vec())));
  };
}

absl::StatusOr<int64_t> StoredStep(const StoredTensors& stored) {
  FPO_ASSIGN_OR_RETURN(const at::Tensor step, stored.Tensor(kStepName));
  const auto updates = step.item<int64_t>();
  if (updates >= 0) return updates;
  return absl::InvalidArgumentError(absl::StrCat("optimizer state: step is ", updates));
}

std::vector<TensorPiece> PiecesOf(const std::vector<TensorRange>& ranges) {
  std::vector<TensorPiece> pieces;
  for (const TensorRange& range : ranges) {
    pieces.push_back({range.name, range.shape, range.begin, range.end, range.values});
  }
  return pieces;
}

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

CheckpointShard MakeShard(const TrainingState& state, const ShardedUpdate& update, int64_t rank) {
  CheckpointShard shard{state.step, rank, state.world, PiecesOf(update.Masters()),
                        PiecesOf(update.Moments())};
  if (rank == 0) {
    shard.optimizer.push_back(
        {kStepName, {}, 0, 1, at::scalar_tensor(update.step(), at::kLong).view({1})});
  }
  return shard;
}

absl::StatusOr<TrainingState> RestoreCheckpoint(const SavedCheckpoint& checkpoint,
                                                ShardedUpdate* update) {
  FPO_ASSIGN_OR_RETURN(TrainingState state, TrainingState::Parse(checkpoint.state_json));
  FPO_ASSIGN_OR_RETURN(const int64_t step, StoredStep(checkpoint.optimizer));
  FPO_RETURN_IF_ERROR(
      update->RestoreRanges(step, ReadStored(checkpoint.model, update->MastersLike()),
                            ReadStored(checkpoint.optimizer, update->MomentsLike())));
  return state;
}

}  // namespace fpo::train
