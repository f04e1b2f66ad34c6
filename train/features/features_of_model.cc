#include "train/features/features_of_model.h"

#include <memory>
#include <utility>

#include "common/files/durable_file.h"
#include "common/status_macros.h"
#include "train/device/device_name.h"
#include "train/events/exit_status.h"
#include "train/features/feature_maker.h"
#include "train/loop/id_range.h"
#include "train/loop/model_loader.h"
#include "train/reference/record_reference.h"
#include "train/reference/reference_plan.h"
#include "train/runs/prepare_data.h"

namespace fpo::train {
namespace {

// Only what is compared is tokenised.
JobConfig HeldOutOf(const JobConfig& job) {
  JobConfig held_out = job;
  held_out.data.train.clear();
  return held_out;
}

absl::StatusOr<std::unique_ptr<RecordReference>> OpenRecords(const JobConfig& job,
                                                             const FeaturesOfModelOptions& options,
                                                             const GemmaConfig& config) {
  if (job.reference.features != "all") {
    return absl::InvalidArgumentError(
        "records of reference.features: top hold the largest features only: a feature that is "
        "missing there would be taken for 0; leave --reference out");
  }
  FPO_ASSIGN_OR_RETURN(const ModelIdentity reference, IdentifyModel(ReferencePath(job)));
  FPO_ASSIGN_OR_RETURN(const std::vector<LoadedSae> saes, LoadSaes(job.sae, config, at::kCPU));
  RecordReference::Options records;
  records.path = options.reference;
  records.recipe = MakeRecipe(RecipeInputsOf(job, reference, options.device), saes);
  for (const LoadedSae& sae : saes) records.features.push_back(sae.sae.features());
  records.device = options.device;
  return RecordReference::Open(std::move(records));
}

}  // namespace

absl::Status FeaturesOfModel(const JobConfig& job, const FeaturesOfModelOptions& options,
                             EventSink& events) {
  // Before the model is loaded: an unwritable path must not cost a comparison.
  FPO_RETURN_IF_ERROR(AsStorageError(MakeParentFolder(options.out)));
  if (job.data.eval.empty() && options.prepared.empty()) {
    return absl::InvalidArgumentError("data.eval is empty: features are compared on its pairs");
  }
  std::string prepared = options.prepared;
  if (prepared.empty()) {
    prepared = options.out + ".prepared";
    FPO_RETURN_IF_ERROR(PrepareData(HeldOutOf(job), prepared, events).status());
  }
  FPO_ASSIGN_OR_RETURN(const TokenFile pairs, TokenFile::Open(prepared + "/eval.safetensors"));
  FPO_RETURN_IF_ERROR(CheckIdsFit(pairs, options.model));
  FPO_ASSIGN_OR_RETURN(
      const LoadedModel policy,
      LoadModel({options.model, job.model.dtype, options.device, false, WarnOn(events)}));
  FeatureInputs inputs{job, policy.model, options.model, policy.digest, pairs};
  inputs.labels_required = true;
  inputs.device = options.device;
  std::unique_ptr<RecordReference> records;
  if (options.reference != "auto") {
    FPO_ASSIGN_OR_RETURN(records, OpenRecords(job, options, policy.model.config()));
    inputs.records = records.get();
    inputs.reference_model = false;
    inputs.reference_digest = records->file().recipe().model_digest;
  }
  FPO_ASSIGN_OR_RETURN(const FeatureReport report, MakeFeatureReport(inputs, events));
  FPO_RETURN_IF_ERROR(policy.CheckUnchanged());
  FPO_RETURN_IF_ERROR(AsStorageError(WriteFileAtomically(options.out, FeatureReportJson(report))));
  events.Emit(PhaseEvent("finish", FeatureSummary(report)));
  events.Emit(ResultEvent(
      options.out, 0, {{"pairs", static_cast<double>(report.pairs)}, {"seconds", report.seconds}},
      DeviceTexts(options.device)));
  return absl::OkStatus();
}

}  // namespace fpo::train
