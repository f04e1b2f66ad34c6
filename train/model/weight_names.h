#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "train/model/gemma_config.h"

namespace fpo::train {

// What the tensors of a model's files are to the text model.
struct TensorSelection {
  // A file's name of a tensor and its canonical name ("model.layers.0.mlp.up_proj.weight"), by the
  // former. With a tied head it may have "lm_head.weight", which must equal the embedding.
  std::vector<std::pair<std::string, std::string>> used;
  std::vector<std::string> notes;  // what is left out, as transformers does; for the user
};

// Selects the tensors of the model that `config` describes from the names in its files. Prefixes of
// nested models ("language_model.", "model.language_model.") and files of the model without its
// head ("layers.0...") are understood. Left out: vision and audio towers, buffers that are computed
// (rotary_emb.inv_freq), and heads of other tasks (score, v_head).
//
// InvalidArgument for what would change the text model and is not in `config` (a bias, a layer
// beyond the last), for quantised weights and adapters, and for two tensors of one name.
absl::StatusOr<TensorSelection> SelectTensors(const GemmaConfig& config,
                                              const std::vector<std::string>& names);

// "" for a safetensors dtype that weights are trained from; else what it is ("F8_E4M3": quantised).
std::string QuantisedType(absl::string_view safetensors_dtype);

}  // namespace fpo::train
