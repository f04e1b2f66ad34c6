#include "train/loop/evaluate_model.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/files/durable_file.h"
#include "common/hash.h"
#include "common/status_macros.h"
#include "train/collective/single_process_group.h"
#include "train/device/device_name.h"
#include "train/events/exit_status.h"
#include "train/loop/model_loader.h"
#include "train/objective/evaluation_file.h"
#include "train/objective/set_evaluations.h"
#include "train/runs/prepare_data.h"
#include "train/runs/run_inputs.h"

namespace fpo::train {
namespace {

std::string EvaluationJson(const JobConfig& job, const RunInputs& inputs,
                           const std::map<std::string, double>& metrics) {
  nlohmann::ordered_json json;
  json["job"] = job.name;
  json["method"] = job.method.name;
  json["model"] = {{"path", inputs.policy.path}, {"digest", inputs.policy.digest}};
  json["reference"] = inputs.use.source;
  if (inputs.use.source == "records") json["recipe_id"] = ToHex(RecipeId(inputs.use.recipe));
  json["data_digest"] = ToHex(inputs.eval.digest());
  for (const EvalTokens& set : inputs.more_eval) {
    json["data_digests"][set.name] = ToHex(set.tokens.digest());
  }
  for (const auto& [name, value] : metrics) json[name] = value;
  return json.dump(2) + "\n";
}

}  // namespace

std::string EvaluatedPairsFileOf(const std::string& out, const std::string& set) {
  return absl::StrCat(absl::StripSuffix(out, ".json"), ".pairs", set.empty() ? "" : "/", set,
                      ".jsonl");
}

absl::Status EvaluateModel(const JobConfig& job, const EvaluateModelOptions& options,
                           EventSink& events) {
  // Before the model is loaded: an unwritable path must not cost an evaluation.
  FPO_RETURN_IF_ERROR(AsStorageError(MakeParentFolder(options.out)));
  RunInputOptions input;
  input.prepared = options.prepared;
  if (input.prepared.empty()) {
    input.prepared = options.out + ".prepared";
    FPO_RETURN_IF_ERROR(
        CheckModel(options.model.empty() ? job.model.path : options.model, WarnOn(events)));
    input.model_told = true;
    FPO_RETURN_IF_ERROR(PrepareData(job, input.prepared, events).status());
  }
  input.reference = options.reference;
  if (job.reference.source == "online" && input.reference == "auto") input.reference = "online";
  input.auto_file = input.prepared + "/reference.fpr";
  input.model = options.model;
  input.device = options.device;
  input.trainable = false;
  FPO_ASSIGN_OR_RETURN(const RunInputs inputs, LoadRunInputs(job, input, events));
  if (inputs.eval.size() == 0) {
    return absl::InvalidArgumentError(
        "there are no evaluation pairs: data.eval is empty, or all its rows were dropped "
        "(admission.json says why)");
  }
  const Objective objective(inputs.policy.model, inputs.objective, inputs.reference.get());
  SingleProcessGroup group;
  MicroBatchSize size({job.batch.tokens_per_microbatch, job.retry.on_oom == "retry", options.device,
                       WarnOn(events)});
  FPO_ASSIGN_OR_RETURN(const SetEvaluations evaluation,
                       EvaluateSets({job, inputs, objective}, &size, group));
  const std::map<std::string, double>& metrics = evaluation.metrics;
  for (const SetPairs& set : evaluation.pairs) {
    FPO_RETURN_IF_ERROR(
        WriteEvaluationFile(EvaluatedPairsFileOf(options.out, set.name), *set.tokens, set.values));
  }
  FPO_RETURN_IF_ERROR(
      AsStorageError(WriteFileAtomically(options.out, EvaluationJson(job, inputs, metrics))));
  events.Emit(EvaluationEvent(0, 0, metrics));
  events.Emit(ResultEvent(options.out, 0, metrics, DeviceTexts(options.device)));
  return absl::OkStatus();
}

}  // namespace fpo::train
