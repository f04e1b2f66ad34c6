#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "train/model/gemma.h"
#include "train/sae/sparse_autoencoder.h"

namespace fpo::train {

// A model folder in memory. `digest` is hex SHA-256 over the weights as stored and the config
// values that change the forward: the same for a renamed or resharded folder.
struct LoadedModel {
  Gemma model;
  std::string path;
  std::string digest;
};

// What a folder holds, without loading it: enough for a recipe and for checking an SAE's width.
struct ModelIdentity {
  GemmaConfig config;
  std::string digest;
};
// The folder's config.json alone. NotFound, InvalidArgument.
absl::StatusOr<GemmaConfig> ReadModelConfig(const std::string& folder);

absl::StatusOr<ModelIdentity> IdentifyModel(const std::string& path);

struct ModelRequest {
  std::string path;               // Hugging Face folder
  std::string dtype = "float32";  // float32 | bfloat16: what the weights are converted to
  at::Device device = at::kCPU;
  bool trainable = false;  // own memory and gradients on; otherwise weights may be mapped
};

// NotFound, DataLoss or InvalidArgument name the folder and what is wrong with it.
absl::StatusOr<LoadedModel> LoadModel(const ModelRequest& request);

absl::StatusOr<at::ScalarType> ParseDtype(const std::string& name);  // float32 | bfloat16

// A frozen SAE and where it reads the model.
struct LoadedSae {
  SparseAutoencoder sae;
  Tap tap;
  std::string path;
  std::string digest;        // hex
  std::optional<double> l0;  // active features a token to expect: as measured, else as aimed at
};

// InvalidArgument when its width is not that of its site in the model (both numbers), or its layer
// is not in the model.
absl::StatusOr<LoadedSae> LoadSae(const SaeSection& section, const GemmaConfig& config,
                                  at::Device device);
absl::StatusOr<std::vector<LoadedSae>> LoadSaes(const std::vector<SaeSection>& sections,
                                                const GemmaConfig& config, at::Device device);
// The same places of the model without an SAE (method.features: hidden).
absl::StatusOr<std::vector<LoadedSae>> HiddenPlaces(const std::vector<SaeSection>& sections,
                                                    const GemmaConfig& config);
// What the job's method compares: its SAEs, or hidden vectors.
absl::StatusOr<std::vector<LoadedSae>> LoadFeatureMaps(const JobConfig& job,
                                                       const GemmaConfig& config,
                                                       at::Device device);

}  // namespace fpo::train
