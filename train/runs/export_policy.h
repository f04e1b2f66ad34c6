#pragma once

#include <string>

#include "absl/status/status.h"
#include "train/model/gemma.h"

namespace fpo::train {

// Writes the trained model as a Hugging Face folder like `source`, with the tensor names of
// `source`. Tensors that are not trained (a vision tower, a second copy of the tied head) are
// copied from it. Storage errors carry their exit code.
absl::Status ExportPolicy(const Gemma& model, const std::string& source, const std::string& target);

}  // namespace fpo::train
