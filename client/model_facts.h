#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace fpo::client {

// What a Hugging Face folder says of its model, without its weights.
struct ModelFacts {
  std::string family;  // gemma2 | gemma3
  // 0: not said
  int64_t layers = 0;
  int64_t width = 0;    // of the residual stream
  int64_t context = 0;  // positions
  bool has_chat_template = false;
};

// NotFound when there is no such folder; InvalidArgument when it lacks config.json, *.safetensors
// or tokenizer.model, or holds another kind of model.
absl::StatusOr<ModelFacts> ReadModelFacts(const std::string& folder);

}  // namespace fpo::client
