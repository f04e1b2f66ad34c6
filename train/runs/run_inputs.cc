#include "train/runs/run_inputs.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/job/method_table.h"
#include "common/status_macros.h"
#include "train/events/stop_signal.h"
#include "train/export/peft_folder.h"
#include "train/loop/dtype_advice.h"
#include "train/loop/id_range.h"
#include "train/objective/feature_weights.h"
#include "train/prepare/reference_keys.h"
#include "train/reference/online_reference.h"
#include "train/reference/record_reference.h"
#include "train/reference/reference_file.h"
#include "train/reference/reference_plan.h"
#include "train/runs/data_plan.h"

namespace fpo::train {
namespace {

absl::Status CheckAllIdsFit(const JobTokens& tokens, const std::string& model) {
  FPO_RETURN_IF_ERROR(CheckIdsFit(tokens.train, model));
  FPO_RETURN_IF_ERROR(CheckIdsFit(tokens.eval, model));
  for (const EvalTokens& set : tokens.more_eval) {
    FPO_RETURN_IF_ERROR(CheckIdsFit(set.tokens, model));
  }
  return absl::OkStatus();
}

bool TrainsAdapter(const JobConfig& job, const RunInputOptions& options) {
  return options.trainable && job.adapter.on();
}

struct Loader {
  const JobConfig& job;
  const RunInputOptions& options;
  EventSink& events;
  RunInputs& inputs;

  std::vector<LoadedSae> Saes() const { return inputs.objective.saes; }
  bool SameFolder() const { return ReferencePath(job) == inputs.policy.path; }

  absl::StatusOr<LoadedModel> LoadReferenceModel() const {
    FPO_RETURN_IF_ERROR(CheckAllIdsFit(inputs.tokens(), ReferencePath(job)));
    ModelRequest request = ReferenceRequest(job, options.device);
    request.warn = WarnOn(events);
    return LoadModel(request);
  }
  absl::Status FindRecipe() const;
  absl::Status OpenOnline() const;
  absl::Status OpenRecords(const std::string& path) const;
  std::vector<ReferenceResponse> Responses() const;  // whose records are read
  absl::Status CompleteAuto() const;
  absl::StatusOr<Scorer> MakeScorer() const;
  absl::Status Open() const;
};

absl::Status Loader::FindRecipe() const {
  ModelIdentity reference = inputs.policy.identity();
  if (!SameFolder()) {
    FPO_ASSIGN_OR_RETURN(reference, IdentifyModel(ReferencePath(job)));
  }
  inputs.use.model_digest = reference.digest;
  inputs.use.recipe = MakeRecipe(RecipeInputsOf(job, reference, options.device), Saes());
  return absl::OkStatus();
}

absl::Status Loader::OpenOnline() const {
  inputs.use.source = "online";
  if (SameFolder() && TrainsAdapter(job, options)) {  // which is added to the policy's own copy
    inputs.reference = std::make_unique<OnlineReference>(inputs.policy.model, Saes());
    return absl::OkStatus();
  }
  FPO_ASSIGN_OR_RETURN(LoadedModel model, LoadReferenceModel());
  inputs.use.model_digest = model.digest;
  inputs.reference = std::make_unique<OnlineReference>(std::move(model.model), Saes());
  return absl::OkStatus();
}

absl::Status Loader::OpenRecords(const std::string& path) const {
  RecordReference::Options records{path, inputs.use.recipe, {}, options.device};
  for (const LoadedSae& sae : Saes()) records.features.push_back(sae.sae.features());
  FPO_ASSIGN_OR_RETURN(std::unique_ptr<RecordReference> reference,
                       RecordReference::Open(std::move(records)));
  FPO_RETURN_IF_ERROR(reference->Require(Responses()));
  inputs.reference = std::move(reference);
  inputs.use.source = "records";
  inputs.use.file = path;
  return absl::OkStatus();
}

std::vector<ReferenceResponse> Loader::Responses() const {
  const JobTokens tokens = inputs.tokens();
  return ReferenceResponses(
      tokens, options.trainable ? PairsOfRun(job, tokens) : PairsOfEvaluation(job, tokens));
}

// When policy and reference are one folder, the policy as loaded is the reference; no second copy
// is read.
absl::StatusOr<Scorer> Loader::MakeScorer() const {
  Scorer::Options scoring;
  scoring.saes = Saes();
  FPO_ASSIGN_OR_RETURN(scoring.top_features, TopFeatures(FeaturesWord(job.reference)));
  scoring.halve = job.retry.on_oom == "retry";
  scoring.warn = WarnOn(events);
  if (SameFolder()) return Scorer(inputs.policy.model, std::move(scoring));
  FPO_ASSIGN_OR_RETURN(LoadedModel model, LoadReferenceModel());
  return Scorer(std::move(model.model), std::move(scoring));
}

absl::Status Loader::CompleteAuto() const {
  const std::vector<ReferenceResponse> responses = Responses();
  FPO_ASSIGN_OR_RETURN(const ReferenceFileResult result,
                       CompleteReferenceFile(
                           {options.auto_file, inputs.use.recipe, responses},
                           [&] { return MakeScorer(); }, [] { return !StopRequested(); }));
  inputs.use.computed = result.computed;
  inputs.use.reused = result.reused;
  inputs.use.seconds = result.seconds;
  events.Emit(
      PhaseEvent("reference", absl::StrCat("reference: ", result.computed, " records computed, ",
                                           result.reused, " reused (", options.auto_file, ")")));
  return OpenRecords(options.auto_file);
}

absl::Status Loader::Open() const {
  const bool online = options.reference == "online";
  if (!UsesReference(job) && !online) return absl::OkStatus();
  FPO_RETURN_IF_ERROR(FindRecipe());
  if (online) return OpenOnline();
  const auto method = ParseMethod(job.method.name);
  if (method.ok() && NeedsKl(*method)) {
    return absl::InvalidArgumentError(
        absl::StrCat("method ", job.method.name, " needs the reference model itself: --reference ",
                     "online, not ", options.reference));
  }
  if (options.reference == "auto") return CompleteAuto();
  return OpenRecords(options.reference);
}

// After the reference is open, which may be the policy without the adapter.
absl::Status AddAdapter(const AdapterSection& section, uint64_t seed, RunInputs* inputs) {
  Gemma& model = inputs->policy.model;
  FPO_ASSIGN_OR_RETURN(const LoraConfig lora,
                       MakeLoraConfig(section.rank, section.alpha, section.targets));
  if (section.path.empty()) {
    model.Adapt(lora, NewLora(model.config(), lora, seed));
    return absl::OkStatus();
  }
  FPO_ASSIGN_OR_RETURN(PeftAdapter start, ReadPeftFolder(section.path, model.config()));
  if (DescribeLora(start.lora) != DescribeLora(lora)) {
    return absl::InvalidArgumentError(
        absl::StrCat("adapter.path ", section.path, " holds ", DescribeLora(start.lora),
                     ", but the job asks for ", DescribeLora(lora),
                     ": set adapter.rank, alpha and targets as they are in the folder"));
  }
  inputs->adapter_start = start.digest;
  model.Adapt(lora, std::move(start.tensors));
  return absl::OkStatus();
}

absl::StatusOr<TokenFile> OpenTokens(const std::string& path, const JobConfig& job) {
  FPO_ASSIGN_OR_RETURN(TokenFile file, TokenFile::Open(path));
  if (job.method.name != "sft" && file.size() > 0 && !file.has_rejected()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " holds pairs without a rejected response, which method ",
                     job.method.name, " needs; prepare it with a job of that method"));
  }
  const bool labelled = job.method.name == "kto";
  if (file.size() > 0 && file.has_labels() != labelled) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, labelled ? " holds no labels, which method kto needs" : " holds examples of kto",
        "; prepare it with a job of method ", job.method.name));
  }
  return file;
}

}  // namespace

std::string DescribeAdapter(const RunInputs& inputs) {
  const LoraConfig* const lora = inputs.policy.model.lora();
  if (lora == nullptr) return "";
  const std::string& start = inputs.adapter_start;
  const std::string& packing = inputs.packing;
  return absl::StrCat(packing.empty() ? "" : "q", DescribeLora(*lora),
                      packing.empty() ? "" : absl::StrCat(", beside ", packing),
                      start.empty() ? "" : ", from ", start.substr(0, 16));
}

absl::StatusOr<PreferenceOptions> MakePreferenceOptions(const MethodSection& method) {
  PreferenceOptions options;
  FPO_ASSIGN_OR_RETURN(options.method, ParseMethod(method.name));
  options.beta = method.beta;
  options.alpha = method.alpha;
  options.gamma = method.gamma;
  options.label_smoothing = method.label_smoothing;
  options.stop_gradient = method.stop_gradient;
  FPO_ASSIGN_OR_RETURN(options.loss, ParsePairLoss(method.loss));
  options.feature_constraint = ComparesFeatures(method);
  options.sft_weight = method.sft_weight;
  options.desirable_weight = method.desirable_weight;
  options.undesirable_weight = method.undesirable_weight;
  return options;
}

OptimizerOptions MakeOptimizerOptions(const OptimizerSection& section) {
  OptimizerOptions options;
  options.beta1 = section.betas.at(0);
  options.beta2 = section.betas.at(1);
  options.alpha = section.alpha;
  options.eps = section.eps;
  options.weight_decay = section.weight_decay;
  return options;
}

absl::StatusOr<RunInputs> LoadRunInputs(const JobConfig& job, const RunInputOptions& options,
                                        EventSink& events) {
  ObjectiveOptions objective;
  FPO_ASSIGN_OR_RETURN(objective.preference, MakePreferenceOptions(job.method));
  if (job.constraint.budget.has_value()) {
    objective.preference.budget = true;
    objective.preference.alpha = 0;              // until a step has been seen
    objective.preference.stop_gradient = false;  // both sides are held
  }
  objective.constraint.top_k = job.method.top_k;
  FPO_ASSIGN_OR_RETURN(objective.constraint.selection,
                       ParseFeatureSelection(job.method.feature_selection));
  objective.activation_checkpointing = job.activation_checkpointing;
  objective.checkpointed_layers = job.activation_checkpointing_layers.value_or(0);
  FPO_ASSIGN_OR_RETURN(TokenFile train, OpenTokens(options.prepared + "/train.safetensors", job));
  FPO_ASSIGN_OR_RETURN(TokenFile eval, OpenTokens(options.prepared + "/eval.safetensors", job));
  std::vector<EvalTokens> more_eval;
  for (const EvalSetSection& set : job.data.more_eval) {
    FPO_ASSIGN_OR_RETURN(TokenFile tokens,
                         OpenTokens(EvalSetFile(options.prepared, set.name), job));
    more_eval.push_back({set.name, std::move(tokens)});
  }
  const bool own_weights = options.trainable && !TrainsAdapter(job, options);
  const std::string& folder = options.model.empty() ? job.model.path : options.model;
  FPO_RETURN_IF_ERROR(CheckAllIdsFit({train, eval, more_eval}, folder));
  ModelRequest request{folder, job.model.dtype, options.device, own_weights};
  if (!options.model_told) request.warn = WarnOn(events);
  if (folder == job.model.path) request.packing = job.adapter.packing();
  FPO_ASSIGN_OR_RETURN(LoadedModel policy, LoadModel(request));
  WarnOfSlowDtype(job.model.dtype, options.device, events);
  if (UsesFeatures(job)) {
    FPO_ASSIGN_OR_RETURN(objective.saes,
                         LoadFeatureMaps(job, policy.model.config(), options.device));
    WarnOfSaes(objective.saes, WarnOn(events));
  }
  std::vector<int64_t> widths;
  for (const LoadedSae& sae : objective.saes) widths.push_back(sae.sae.features());
  FPO_ASSIGN_OR_RETURN(objective.contracts, MakeContracts(job.constraint, widths, options.device));
  if (!job.method.feature_weights.empty()) {
    FPO_ASSIGN_OR_RETURN(
        const at::Tensor weights,
        ReadFeatureWeights(job.method.feature_weights, objective.saes.front().sae.features()));
    objective.constraint.weights = weights.to(options.device);
  }
  RunInputs inputs{std::move(train),  std::move(eval),      std::move(more_eval),
                   std::move(policy), std::move(objective), nullptr,
                   ReferenceUse{},    request.packing,      ""};
  FPO_RETURN_IF_ERROR((Loader{job, options, events, inputs}.Open()));
  if (TrainsAdapter(job, options)) {
    FPO_RETURN_IF_ERROR(AddAdapter(job.adapter, static_cast<uint64_t>(job.seed), &inputs));
  }
  return inputs;
}

}  // namespace fpo::train
