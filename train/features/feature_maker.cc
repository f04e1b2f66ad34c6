#include "train/features/feature_maker.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/status_macros.h"
#include "train/events/stop_signal.h"
#include "train/features/feature_labels.h"
#include "train/features/feature_survey.h"
#include "train/loop/id_range.h"
#include "train/loop/model_loader.h"
#include "train/prepare/model_tokenizer.h"
#include "train/reference/reference_plan.h"

namespace fpo::train {
namespace {

constexpr int64_t kFitPairs = 16;

// One report, in the order of its stages.
class Maker {
 public:
  Maker(const FeatureInputs& inputs, EventSink& events)
      : inputs_(inputs), job_(inputs.job), events_(events) {}

  absl::StatusOr<FeatureReport> Make();

 private:
  absl::Status CheckInputs() const;
  absl::Status LoadReference();
  absl::StatusOr<Survey> Compare(const std::vector<LoadedSae>& saes, const Tokenizer& tokenizer);
  absl::Status Label();
  void NoteMissing(const std::vector<LoadedSae>& saes, const Tokenizer& tokenizer);
  int64_t PairsAsked() const { return std::min(job_.features.pairs, job_.evaluate.pairs); }

  const FeatureInputs& inputs_;
  const JobConfig& job_;
  EventSink& events_;
  FeatureReport report_;
  std::optional<LoadedModel> reference_;
};

absl::Status Maker::CheckInputs() const {
  if (job_.method.features == "hidden") {
    return absl::InvalidArgumentError(
        "method.features is hidden: there is no SAE, and so no features to report");
  }
  if (job_.sae.empty()) {
    return absl::InvalidArgumentError("the job names no SAE: set sae.path, or give --sae");
  }
  if (job_.features.top == 0) {
    return absl::InvalidArgumentError("features.top is 0: no features are asked for");
  }
  if (inputs_.pairs.size() == 0) {
    return absl::InvalidArgumentError(
        "there are no held-out pairs: data.eval is empty, or all its rows were dropped "
        "(admission.json says why)");
  }
  return absl::OkStatus();
}

absl::Status Maker::LoadReference() {
  report_.reference = ReferencePath(job_);
  report_.reference_digest = inputs_.reference_digest;
  if (!inputs_.reference_model) return absl::OkStatus();
  FPO_RETURN_IF_ERROR(CheckIdsFit(inputs_.pairs, report_.reference));
  ModelRequest request = ReferenceRequest(job_, inputs_.device);
  request.warn = WarnOn(events_);
  FPO_ASSIGN_OR_RETURN(reference_, LoadModel(request));
  report_.reference_digest = reference_->digest;
  if (inputs_.reference_digest.empty() || inputs_.reference_digest == reference_->digest) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      report_.reference, " is another model by now than the reference of the run: digest ",
      reference_->digest.substr(0, 12), ", not ", inputs_.reference_digest.substr(0, 12)));
}

absl::StatusOr<Survey> Maker::Compare(const std::vector<LoadedSae>& saes,
                                      const Tokenizer& tokenizer) {
  const SurveyModels models{inputs_.policy, reference_ ? &reference_->model : nullptr,
                            inputs_.records, saes, tokenizer};
  SurveyOptions options;
  options.top = job_.features.top;
  options.spans = job_.features.spans;
  options.fit_pairs = kFitPairs;
  options.tokens_per_batch = job_.batch.tokens_per_microbatch;
  options.both_sides = inputs_.pairs.has_rejected();
  options.limit = absl::Minutes(job_.features.minutes);
  options.stop = StopRequested;
  FPO_ASSIGN_OR_RETURN(Survey survey, SurveyFeatures(models, inputs_.pairs, PairsAsked(), options));
  if (reference_) FPO_RETURN_IF_ERROR(reference_->CheckUnchanged());
  return survey;
}

absl::Status Maker::Label() {
  const std::string& path = job_.features.explanations;
  if (path.empty()) return absl::OkStatus();
  SaeMovement& sae = report_.saes.front();
  std::set<int64_t> wanted;
  for (std::vector<MovedFeature>* list : {&sae.moved, &sae.others}) {
    for (const MovedFeature& feature : *list) wanted.insert(feature.index);
  }
  auto labels = ReadFeatureLabels(path, {sae.layer, sae.site, sae.features}, wanted);
  if (!labels.ok()) {
    if (inputs_.labels_required) return labels.status();
    report_.missing.push_back(absl::StrCat("labels: ", labels.status().message()));
    events_.Emit(WarningEvent(report_.missing.back()));
    return absl::OkStatus();
  }
  for (const std::string& warning : labels->warnings) {
    events_.Emit(WarningEvent(warning));
    report_.missing.push_back(warning);
  }
  sae.labels = path;
  for (std::vector<MovedFeature>* list : {&sae.moved, &sae.others}) {
    for (MovedFeature& feature : *list) {
      const auto it = labels->texts.find(feature.index);
      if (it != labels->texts.end()) feature.label = it->second;
    }
  }
  return absl::OkStatus();
}

void Maker::NoteMissing(const std::vector<LoadedSae>& saes, const Tokenizer& tokenizer) {
  const int64_t wanted = std::min(PairsAsked(), report_.pairs_there);
  if (report_.pairs < wanted) {
    report_.missing.push_back(absl::StrCat("only the first ", report_.pairs, " of ", wanted,
                                           " pairs: more would have taken longer ",
                                           "than features.minutes: ", job_.features.minutes));
  }
  if (!reference_) {
    report_.missing.push_back(
        "the reference model was not run, only its records were read: texts show no codes before, "
        "features that fell silent may have weak texts, and the SAE's fit before is unknown");
  }
  for (const LoadedSae& sae : saes) {
    if (sae.sae.has_decoder()) continue;
    report_.missing.push_back(absl::StrCat(
        sae.path, " has no decoder: variance and loss of its reconstruction are unknown"));
  }
  if (!tokenizer.present().ok()) {
    report_.missing.push_back("the model folder has no tokenizer: texts are token ids");
  }
}

absl::StatusOr<FeatureReport> Maker::Make() {
  const absl::Time start = absl::Now();
  FPO_RETURN_IF_ERROR(CheckInputs());
  FPO_ASSIGN_OR_RETURN(const Tokenizer tokenizer, OpenModelTokenizer(job_.model.path));
  FPO_ASSIGN_OR_RETURN(const std::vector<LoadedSae> saes,
                       LoadSaes(job_.sae, inputs_.policy.config(), inputs_.device));
  FPO_RETURN_IF_ERROR(LoadReference());
  FPO_ASSIGN_OR_RETURN(Survey survey, Compare(saes, tokenizer));
  report_.job = job_.name;
  report_.method = job_.method.name;
  report_.policy = std::filesystem::absolute(inputs_.policy_folder).lexically_normal().string();
  report_.policy_digest = inputs_.policy_digest;
  report_.reference_codes = inputs_.records != nullptr ? "records" : "model";
  report_.data_digest = ToHex(inputs_.pairs.digest());
  report_.pairs = survey.pairs;
  report_.pairs_asked = job_.features.pairs;
  report_.pairs_there = inputs_.pairs.size();
  report_.files = job_.data.eval;
  report_.saes = std::move(survey.saes);
  NoteMissing(saes, tokenizer);
  FPO_RETURN_IF_ERROR(Label());
  report_.seconds = absl::ToDoubleSeconds(absl::Now() - start);
  return std::move(report_);
}

std::string Named(const MovedFeature& feature, const FeatureSide& side) {
  return absl::StrFormat("%d%s %.3g -> %.3g", feature.index,
                         feature.label.empty() ? "" : absl::StrCat(" '", feature.label, "'"),
                         side.before, side.after);
}

}  // namespace

absl::StatusOr<FeatureReport> MakeFeatureReport(const FeatureInputs& inputs, EventSink& events) {
  return Maker(inputs, events).Make();
}

bool RecordsHoldAllFeatures(const JobConfig& job) {
  return UsesFeatures(job) && job.method.features == "sae" && job.reference.features == "all" &&
         job.reference.values == "float32";
}

std::string FeatureSummary(const FeatureReport& report) {
  constexpr size_t kNamed = 3;
  std::vector<std::string> parts;
  for (const SaeMovement& sae : report.saes) {
    std::vector<std::string> named;
    for (size_t i = 0; i < std::min(kNamed, sae.chosen.size()); ++i) {
      const MovedFeature& feature = *sae.Find(sae.chosen[i]);
      named.push_back(Named(feature, *feature.chosen));
    }
    parts.push_back(absl::StrCat("layer ", sae.layer, " ", sae.site, ", moved most on chosen: ",
                                 named.empty() ? "none" : absl::StrJoin(named, ", ")));
  }
  return absl::StrCat("features of ", report.pairs, " pairs: ", absl::StrJoin(parts, "; "));
}

}  // namespace fpo::train
