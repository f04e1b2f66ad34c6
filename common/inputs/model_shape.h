#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace fpo {

// What config.json of a Hugging Face folder says about its model, without the weights.
struct ModelShape {
  std::string family;  // gemma2 | gemma3 | llama | qwen3
  // 0: not stated
  int64_t layers = 0;
  int64_t width = 0;       // of the residual stream
  int64_t head_width = 0;  // of all heads together, as attn_z
  int64_t context = 0;     // positions
  bool nf4 = false;        // bitsandbytes has quantised the weights
};

// InvalidArgument when the folder's config.json does not describe a model that can be trained, or
// when there are no usable *.safetensors next to it (see ChooseWeightFiles). A checkpoint of a run
// is described by the model that the run started from.
absl::StatusOr<ModelShape> ReadModelShape(const std::string& folder);

}  // namespace fpo
