#pragma once

#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/inputs/sae_description.h"

namespace fpo::train {

// An SAE's arrays under the names of Gemma Scope, on the CPU: w_enc [d, F], w_dec [F, d], b_enc
// [F], b_dec [d], threshold [F]; and scale [F], which multiplies codes before the decoder. Only
// what the file holds.
struct SaeArrays {
  std::map<std::string, at::Tensor> by_name;
  std::vector<std::string> notes;  // for the user
};

// Reads the arrays of a file of any known library: names and memory order are translated, an
// encoder stored as [F, d] is transposed where its shape shows it. InvalidArgument names what makes
// it another kind of model (gates, skip connections), and arrays that contradict the description.
absl::StatusOr<SaeArrays> ReadSaeArrays(const SaeSource& source, const SaeDescription& description);

// Brings the arrays to the plain form c = f(x . w_enc + b_enc), by arithmetic in float64: the
// factor that activations were multiplied by, the norms of the decoder, and the scale of the codes.
// Arrays have been checked to fit each other.
void FoldSaeArrays(const SaeDescription& description, SaeArrays* arrays);

}  // namespace fpo::train
