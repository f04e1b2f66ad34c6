#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/files/missing_path.h"

namespace fpo::ctl {

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
// or a tokenizer, or holds another kind of model.
absl::StatusOr<ModelFacts> ReadModelFacts(const WantedPath& wanted);

}  // namespace fpo::ctl
