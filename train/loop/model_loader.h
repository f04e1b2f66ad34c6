#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "train/formats/safetensors_directory.h"
#include "train/model/gemma.h"
#include "train/sae/sparse_autoencoder.h"

namespace fpo::train {

// Identity of a folder's model, without loading it: enough for a recipe and to check an SAE's
// width.
struct ModelIdentity {
  GemmaConfig config;
  std::string digest;
};

// A model folder in memory. `digest` is hex SHA-256 over the weights as stored and the config
// values that change the forward: the same for a renamed or resharded folder.
struct LoadedModel {
  Gemma model;
  std::string path;
  std::string digest;
  std::shared_ptr<const SafetensorsDirectory> weights;  // null: the model has its own memory

  ModelIdentity identity() const { return {model.config(), digest}; }

  // Before what it computed is given to others: the digest is of the bytes that were computed with.
  absl::Status CheckUnchanged() const {
    return weights == nullptr ? absl::OkStatus() : weights->CheckUnchanged();
  }
};

// Reads only the folder's config.json, of a checkpoint that of the model its run started from
// (ModelHome). NotFound, InvalidArgument.
absl::StatusOr<GemmaConfig> ReadModelConfig(const std::string& folder);

absl::StatusOr<ModelIdentity> IdentifyModel(const std::string& path);

// What LoadModel would refuse, and tell of, as far as config.json and the headers of the weights
// show it: quick, to be asked before any data is read.
absl::Status CheckModel(const std::string& path,
                        const std::function<void(const std::string&)>& warn);

struct ModelRequest {
  std::string path;               // Hugging Face folder, or a checkpoint of a run
  std::string dtype = "float32";  // float32 | bfloat16: what the weights are converted to
  at::Device device = at::kCPU;
  bool trainable = false;  // own memory, gradients on; otherwise weights may be mapped
  // Told what in the folder is not read and what looks wrong; sentences for the user.
  std::function<void(const std::string&)> warn = nullptr;
  // nf4 | nf4-double: projections are kept in 4 bits (nf4_tensor.h), as the folder has them or,
  // where it has them dense, quantised. Empty: all weights are dense; those in NF4 are made so.
  std::string packing = {};
};

// NotFound, DataLoss or InvalidArgument name the folder and the problem.
absl::StatusOr<LoadedModel> LoadModel(const ModelRequest& request);

// The weights of a folder as they are stored, mapped from its files, under the model's own names;
// those in NF4 in float32.
absl::StatusOr<TensorMap> MapWeights(const std::string& path);

absl::StatusOr<at::ScalarType> ParseDtype(const std::string& name);  // float32 | bfloat16

// A frozen SAE and where it reads the model.
struct LoadedSae {
  SparseAutoencoder sae;
  Tap tap;
  std::string path;
  std::string digest;        // hex
  std::optional<double> l0;  // expected active features per token: measured, else the target
  std::vector<std::string> notes = {};  // what was decided while reading it; for the user
};

// InvalidArgument when its width differs from that of its site in the model (names both), or its
// layer is not in the model.
absl::StatusOr<LoadedSae> LoadSae(const SaeSection& section, const GemmaConfig& config,
                                  at::Device device);
absl::StatusOr<std::vector<LoadedSae>> LoadSaes(const std::vector<SaeSection>& sections,
                                                const GemmaConfig& config, at::Device device);
// Tells the notes of each.
void WarnOfSaes(const std::vector<LoadedSae>& saes,
                const std::function<void(const std::string&)>& warn);
// The same places in the model without an SAE (method.features: hidden).
absl::StatusOr<std::vector<LoadedSae>> HiddenPlaces(const std::vector<SaeSection>& sections,
                                                    const GemmaConfig& config);
// What the job's method compares: SAE features, or hidden vectors.
absl::StatusOr<std::vector<LoadedSae>> LoadFeatureMaps(const JobConfig& job,
                                                       const GemmaConfig& config,
                                                       at::Device device);

}  // namespace fpo::train
