#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "common/reference/recipe.h"
#include "train/loop/model_loader.h"

namespace fpo::train {

// Whether the job's method compares SAE features, and so loads the SAEs.
bool UsesFeatures(const JobConfig& job);
// Whether the method's loss needs reference values.
bool UsesReference(const JobConfig& job);
std::string ReferencePath(const JobConfig& job);  // reference.path, or model.path
std::string DeviceClass(at::Device device);       // cpu | cuda
// How the reference's projections are kept (ModelRequest::packing): as those of the frozen policy,
// if it is the same folder.
std::string ReferencePacking(const JobConfig& job);
ModelRequest ReferenceRequest(const JobConfig& job, at::Device device);

// The recipe of the job's reference records. `saes` empty: margin-only.
struct RecipeInputs {
  std::string model_digest;  // of reference.path
  Architecture architecture;
  std::string dtype;
  std::string device;  // cpu | cuda
  std::string features = "all";
  std::string values = "float32";
  std::string quantization = {};
};
Recipe MakeRecipe(const RecipeInputs& inputs, const std::vector<LoadedSae>& saes);
// The inputs for this job; `reference` is its reference model.
RecipeInputs RecipeInputsOf(const JobConfig& job, const ModelIdentity& reference,
                            at::Device device);
// The `features` value of a recipe: "all" or "top:M".
std::string FeaturesWord(const ReferenceSection& reference);
// M of "top:M", 0 for "all". InvalidArgument for anything else.
absl::StatusOr<int64_t> TopFeatures(const std::string& features);

// How much of the data needs a record.
struct ReferenceWork {
  int64_t responses = 0;  // distinct ones
  int64_t train_pairs = 0;
  int64_t eval_pairs = 0;
};

// Writes PREPARED/reference.json and reference.keys for the pairs that the job reads (data_plan.h),
// when its reference is cached. Reads the reference model's weights once (for the digest) and the
// SAEs.
absl::StatusOr<ReferenceWork> PlanReference(const JobConfig& job, const std::string& prepared,
                                            at::Device device);

}  // namespace fpo::train
