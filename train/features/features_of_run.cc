#include "train/features/features_of_run.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/failpoint.h"
#include "common/files/durable_file.h"
#include "common/job/job_file.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/features/feature_maker.h"
#include "train/loop/model_loader.h"
#include "train/torch_status.h"

namespace fpo::train {
namespace {

absl::StatusOr<FeatureReport> ReportOf(const JobConfig& job, const RunInputs& inputs,
                                       const std::string& model, EventSink& events) {
  FPO_FAILPOINT("features.begin");
  FPO_ASSIGN_OR_RETURN(const ModelIdentity policy, IdentifyModel(model));
  FeatureInputs from{job, inputs.policy.model, model, policy.digest, inputs.eval};
  from.device = inputs.policy.model.device();
  from.reference_digest = inputs.use.model_digest;
  const bool records = inputs.use.source == "records" && !inputs.objective.saes.empty();
  if (records && RecordsHoldAllFeatures(job)) from.records = inputs.reference.get();
  return MakeFeatureReport(from, events);
}

}  // namespace

absl::StatusOr<double> WriteFeaturesOfRun(const JobConfig& job, const RunInputs& inputs,
                                          const std::string& out, EventSink& events) {
  const std::string file = absl::StrCat(out, "/", kFeatureReportName);
  std::error_code error;
  std::filesystem::remove(file, error);
  if (!MakesFeatures(job)) return 0.0;
  const Work work({"finish", "comparing features with the reference", 0, 0, ""});
  double seconds = 0;
  const absl::Status made = RunTorch([&]() -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const FeatureReport report,
                         ReportOf(job, inputs, absl::StrCat(out, "/model"), events));
    FPO_RETURN_IF_ERROR(WriteFileAtomically(file, FeatureReportJson(report)));
    events.Emit(PhaseEvent("finish", FeatureSummary(report)));
    seconds = report.seconds;
    return absl::OkStatus();
  });
  FPO_RETURN_IF_ERROR(made);
  return seconds;
}

std::string NoFeaturesWarning(const absl::Status& error, const std::string& out) {
  return absl::StrCat("the run is complete, but has no feature report (", error.message(),
                      "); make it with: fpo-train features --job ", out, "/job.yaml --model ", out,
                      "/model --out ", out, "/", kFeatureReportName);
}

}  // namespace fpo::train
