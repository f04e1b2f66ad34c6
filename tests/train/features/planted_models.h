#pragma once

#include <ATen/ATen.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_run.h"
#include "train/data/token_file.h"
#include "train/loop/model_loader.h"
#include "train/model/gemma.h"
#include "train/model/gemma_config.h"

namespace fpo::train {

// Two models and an SAE between which exactly one feature moves: the weight of the last norm of
// layer 0 differs in one coordinate, and so does, of that layer's output, that coordinate alone.
// Feature i of the SAE reads coordinate i.
inline constexpr int64_t kPlanted = 5;

inline Gemma PlantedModel(double planted) {
  const Gemma random = Gemma::Random(TinyForTest(), 9, at::kFloat);
  TensorMap weights;
  for (const auto& [name, tensor] : random.Parameters()) {
    weights[name] = tensor.dim() > 1 ? tensor * 20 : tensor.clone();
  }
  weights.at("model.layers.0.post_feedforward_layernorm.weight")[kPlanted] = planted;
  auto model = Gemma::Create(random.config(), std::move(weights));
  TORCH_CHECK(model.ok(), model.status().ToString());
  return *std::move(model);
}

inline std::vector<LoadedSae> CoordinateSae() {
  SaeTensors tensors;
  tensors.w_enc = at::eye(24);
  tensors.b_enc = at::zeros({24});
  tensors.threshold = at::zeros({24});
  tensors.w_dec = at::eye(24);
  tensors.b_dec = at::zeros({24});
  auto sae = SparseAutoencoder::Create(tensors);
  TORCH_CHECK(sae.ok(), sae.status().ToString());
  return {{*sae, Tap{0, Site::kResidPost}, "coordinates", "digest", std::nullopt}};
}

inline TokenFile WritePairs(const ScratchFolder& scratch, const std::vector<TokenPair>& pairs) {
  TokenFileWriter writer;
  for (const TokenPair& pair : pairs) writer.Add(pair);
  const absl::Status written = writer.Write(scratch / "eval.safetensors", {});
  TORCH_CHECK(written.ok(), written.ToString());
  auto file = TokenFile::Open(scratch / "eval.safetensors");
  TORCH_CHECK(file.ok(), file.status().ToString());
  return *std::move(file);
}

}  // namespace fpo::train
