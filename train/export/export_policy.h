#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "train/chat/turn_record.h"
#include "train/checkpoint/serving_files.h"
#include "train/formats/safetensors_writer.h"
#include "train/model/gemma.h"

namespace fpo::train {

// Trained weights on their way to a model folder.
struct PolicyExport {
  std::string source;  // the model folder that the run started from
  std::string target;
  at::ScalarType dtype = at::kBFloat16;
  ServingFiles serving = {};
};

// Writes `trained`, tensors by canonical name (Gemma::Parameters), as a Hugging Face folder like
// the source, with the tensor names of the source. Tensors that are not trained (a vision tower, a
// second copy of the tied head) are copied from it. Storage errors carry their exit code.
absl::Status ExportPolicy(const LazyTensors& trained, const PolicyExport& request);

// The template and the stop ids of the turns that the model was trained in; nullopt: unknown.
ServingFiles ServingFilesOf(const std::optional<TurnRecord>& turns);

}  // namespace fpo::train
