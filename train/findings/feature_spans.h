#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "train/loop/model_loader.h"
#include "train/reference/sequence_batch.h"

namespace fpo::train {

// Where in a response a feature is strong.
struct StrongTokens {
  int64_t first = 0, last = 0;  // tokens of the response, inclusive
  double activation = 0;        // the greatest of a token, which is between them
};

// The token of `activations` [tokens of the response; context tokens 0] where it is greatest, and
// those beside it with at least half as much. At least one token.
StrongTokens StrongestTokens(absl::Span<const float> activations);

// A feature's activation at each token of the response, 0 at context tokens. One forward pass of
// the model without gradients.
absl::StatusOr<std::vector<float>> TokenActivations(const Gemma& model, const LoadedSae& sae,
                                                    int64_t feature, const Sequence& sequence);

}  // namespace fpo::train
