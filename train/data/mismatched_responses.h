#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

namespace fpo::train {

// For each example the one whose response is put to its prompt in kto's estimate of the KL: one of
// another prompt and, where the data has two prompts with that label, of the same label. In each
// label's order the examples are rotated by the longest run of one prompt, which is by one where
// prompts do not repeat, so that the estimate reads (nearly) every response once, as TRL's rotation
// within a batch does. Fixed for all epochs: such pairs have reference records too.
//
// prompts: a number for each example, equal where the prompts are. InvalidArgument when all
// examples have one prompt.
absl::StatusOr<std::vector<int64_t>> MismatchedExamples(const std::vector<int64_t>& prompts,
                                                        const std::vector<uint8_t>& labels);

}  // namespace fpo::train
