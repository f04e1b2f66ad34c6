#pragma once

#include "absl/status/statusor.h"
#include "common/files/missing_path.h"
#include "common/inputs/model_shape.h"

namespace fpo::ctl {

// What a Hugging Face folder says about its model, without its weights.
struct ModelFacts {
  ModelShape shape;
  bool has_chat_template = false;
};

// NotFound when there is no such folder; InvalidArgument when it lacks config.json, *.safetensors
// or a tokenizer, or holds another kind of model.
absl::StatusOr<ModelFacts> ReadModelFacts(const WantedPath& wanted);

}  // namespace fpo::ctl
