#pragma once

#include <string>

#include <c10/core/ScalarType.h>

#include "absl/status/status.h"
#include "train/checkpoint/serving_files.h"
#include "train/formats/safetensors_writer.h"

namespace fpo::train {

// Writes a Hugging Face folder that transformers' from_pretrained loads: weights in `dtype`
// (BFloat16 or Float), config.json of `source` with dtype and stop ids set, its tokenizer and chat
// template files copied byte for byte, what `serving` adds or replaces, and a folder manifest of it
// all. Tensors are converted as they are written, one at a time. Complete or absent: built beside
// TARGET and published (PublishFolder). InvalidArgument when `weights` and the source folder's own
// tensors differ in names or shapes.
struct HfExport {
  std::string source;  // the model folder the run started from
  std::string target;  // usually OUT/model
  c10::ScalarType dtype = c10::ScalarType::BFloat16;
  ServingFiles serving = {};
};
absl::Status ExportHuggingFace(const HfExport& request, const LazyTensors& weights);

}  // namespace fpo::train
