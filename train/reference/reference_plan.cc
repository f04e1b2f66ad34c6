#include "train/reference/reference_plan.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/job/method_table.h"
#include "common/status_macros.h"
#include "train/data/token_file.h"
#include "train/events/exit_status.h"
#include "train/loss/preference_loss.h"
#include "train/ops/fast_paths.h"
#include "train/prepare/reference_keys.h"
#include "train/runs/data_plan.h"

namespace fpo::train {

bool UsesFeatures(const JobConfig& job) { return ComparesFeatures(job.method); }

bool UsesReference(const JobConfig& job) {
  const auto method = ParseMethod(job.method.name);
  return method.ok() && (NeedsReference(*method) || NeedsKl(*method) || UsesFeatures(job));
}

std::string ReferencePath(const JobConfig& job) {
  return job.reference.path.empty() ? job.model.path : job.reference.path;
}

std::string FeaturesWord(const ReferenceSection& reference) {
  return reference.features == "top" ? absl::StrCat("top:", reference.features_top) : "all";
}

absl::StatusOr<int64_t> TopFeatures(const std::string& features) {
  if (features == "all") return 0;
  absl::string_view number = features;
  int64_t top = 0;
  if (absl::ConsumePrefix(&number, "top:") && absl::SimpleAtoi(number, &top) && top > 0) return top;
  return absl::InvalidArgumentError(
      absl::StrCat("features '", features, "' is not known; use all or top:M with M above 0"));
}

std::string DeviceClass(at::Device device) { return device.is_cuda() ? "cuda" : "cpu"; }

std::string ReferencePacking(const JobConfig& job) {
  return ReferencePath(job) == job.model.path ? job.adapter.packing() : "";
}

ModelRequest ReferenceRequest(const JobConfig& job, at::Device device) {
  ModelRequest request{ReferencePath(job), job.model.dtype, device};
  request.packing = ReferencePacking(job);
  return request;
}

Recipe MakeRecipe(const RecipeInputs& inputs, const std::vector<LoadedSae>& saes) {
  Recipe recipe;
  recipe.model_digest = inputs.model_digest;
  const bool fused =
      ActiveFastPaths().fused_attention && inputs.device == "cuda" && inputs.dtype == "bfloat16";
  const ModelFamily& family = FamilyOf(inputs.architecture);
  recipe.forward = fused ? family.fused_forward_recipe : family.forward_recipe;
  recipe.dtype = inputs.dtype;
  recipe.device = inputs.device;
  recipe.quantization = inputs.quantization;
  for (const LoadedSae& sae : saes) {
    SaeRecipe entry;
    entry.digest = sae.digest;
    entry.k = sae.sae.top_k();
    entry.layer = sae.tap.layer;
    entry.site = SiteName(sae.tap.site);
    recipe.sae.push_back(entry);
  }
  if (!saes.empty()) {
    recipe.features = inputs.features;
    recipe.values = inputs.values;
  }
  return recipe;
}

RecipeInputs RecipeInputsOf(const JobConfig& job, const ModelIdentity& reference,
                            at::Device device) {
  return {reference.digest,     reference.config.architecture, job.model.dtype,
          DeviceClass(device),  FeaturesWord(job.reference),   job.reference.values,
          ReferencePacking(job)};
}

absl::StatusOr<ReferenceWork> PlanReference(const JobConfig& job, const std::string& prepared,
                                            at::Device device) {
  FPO_ASSIGN_OR_RETURN(const TokenFile train, TokenFile::Open(prepared + "/train.safetensors"));
  FPO_ASSIGN_OR_RETURN(const TokenFile eval, TokenFile::Open(prepared + "/eval.safetensors"));
  FPO_ASSIGN_OR_RETURN(const ModelIdentity model, IdentifyModel(ReferencePath(job)));
  std::vector<LoadedSae> saes;
  if (UsesFeatures(job)) {
    FPO_ASSIGN_OR_RETURN(saes, LoadFeatureMaps(job, model.config, at::kCPU));
  }
  const Recipe recipe = MakeRecipe(RecipeInputsOf(job, model, device), saes);
  FPO_ASSIGN_OR_RETURN(const std::vector<EvalTokens> more_eval, OpenEvalSets(job, prepared));
  const JobTokens tokens{train, eval, more_eval};
  const PairSelection pairs = PairsOfJob(job, tokens);
  const std::vector<ReferenceResponse> responses = ReferenceResponses(tokens, pairs);
  FPO_RETURN_IF_ERROR(AsStorageError(WriteReferencePlan(prepared, recipe, responses)));
  ReferenceWork work{static_cast<int64_t>(responses.size()),
                     static_cast<int64_t>(pairs.train.size()),
                     static_cast<int64_t>(pairs.eval.size())};
  for (const auto& set : pairs.more_eval) work.eval_pairs += static_cast<int64_t>(set.size());
  return work;
}

}  // namespace fpo::train
