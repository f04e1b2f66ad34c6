#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/features/feature_report.h"
#include "common/job/job_config.h"
#include "train/data/token_file.h"
#include "train/events/event_sink.h"
#include "train/model/gemma.h"
#include "train/reference/reference_source.h"

namespace fpo::train {

// What a feature report is made from. References outlive the call.
struct FeatureInputs {
  const JobConfig& job;  // its SAEs, reference folder and section "features"
  const Gemma& policy;
  std::string policy_folder;  // where its weights are, for the report
  std::string policy_digest;
  const TokenFile& pairs;
  // The reference's pooled codes of all features of the job's SAEs; null: computed by its model.
  ReferenceSource* records = nullptr;
  bool reference_model = true;  // false: with records only; the report says what it then lacks
  std::string reference_digest = {};  // what the reference must be; empty: not checked
  bool labels_required = false;  // labels that cannot be read are an error, not a line in `missing`
  at::Device device = at::kCPU;
};

// Loads SAEs and reference and compares. InvalidArgument: no pairs, method.features: hidden, an SAE
// that does not fit the model.
absl::StatusOr<FeatureReport> MakeFeatureReport(const FeatureInputs& inputs, EventSink& events);

// Whether records of this job hold what a report needs: every feature, in float32.
bool RecordsHoldAllFeatures(const JobConfig& job);

// "top 3 on chosen: 12345 'apologises' 0.8 -> 0.1, ...", for a log.
std::string FeatureSummary(const FeatureReport& report);

}  // namespace fpo::train
