#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "common/reference/recipe.h"
#include "train/data/token_file.h"
#include "train/events/event_sink.h"
#include "train/loop/model_loader.h"
#include "train/objective/objective.h"
#include "train/optim/optimizer.h"
#include "train/prepare/reference_keys.h"
#include "train/reference/reference_source.h"

namespace fpo::train {

struct RunInputOptions {
  std::string prepared;   // folder that 'prepare' wrote
  std::string reference;  // a .fpr file | online | auto
  std::string auto_file;  // where 'auto' keeps its records
  std::string model;      // the policy's folder; empty: model.path
  at::Device device = at::kCPU;
  bool trainable = true;    // with `adapter` of the job: what is added to the frozen policy
  bool model_told = false;  // CheckModel has told what there is to tell of the model
};

// Where the reference came from, for run.json and the result.
struct ReferenceUse {
  std::string source = "none";  // none | records | online
  std::string file;
  std::string model_digest;
  Recipe recipe;
  int64_t computed = 0;
  int64_t reused = 0;
  double seconds = 0;
};

// Everything a training or evaluation reads, loaded and cross-checked.
struct RunInputs {
  TokenFile train;
  TokenFile eval;
  std::vector<EvalTokens> more_eval;  // the sets of data.eval after the first
  LoadedModel policy;
  ObjectiveOptions objective;
  std::unique_ptr<ReferenceSource> reference;  // null for sft and simpo
  ReferenceUse use;
  std::string packing;        // of the policy's frozen projections (ModelRequest)
  std::string adapter_start;  // digest of the adapter that training goes on from; empty: a new one

  JobTokens tokens() const { return {train, eval, more_eval}; }
  // Whether the policy starts as the reference, so that step 0 has known values.
  bool PolicyIsReference() const {
    return reference != nullptr && use.model_digest == policy.digest &&
           use.recipe.quantization == packing && adapter_start.empty();
  }
};

absl::StatusOr<RunInputs> LoadRunInputs(const JobConfig& job, const RunInputOptions& options,
                                        EventSink& events);

// What is trained beside the policy's weights, for people and to compare runs; empty: the weights.
std::string DescribeAdapter(const RunInputs& inputs);

// The method's settings in the form the loss takes.
absl::StatusOr<PreferenceOptions> MakePreferenceOptions(const MethodSection& method);
OptimizerOptions MakeOptimizerOptions(const OptimizerSection& section);

}  // namespace fpo::train
