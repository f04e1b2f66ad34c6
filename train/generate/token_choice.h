#pragma once

#include <cstdint>
#include <optional>

#include "absl/types/span.h"
#include "train/generate/answer_random.h"

namespace fpo::train {

// How the next token is chosen.
struct Sampling {
  double temperature = 0;  // 0: the most likely token
  int64_t top_k = 0;       // only the k most likely, and those equal to the last; 0: all
  double top_p = 1;        // of these only the fewest that have this much probability together
};

// The id chosen from one row of logits; in transformers' order: temperature, top-k, top-p. Equal
// logits: the smallest id, also for what top-p leaves out. nullopt when a logit is not finite.
// Draws one number from `random` unless the temperature is 0.
std::optional<int32_t> ChooseToken(absl::Span<const float> logits, const Sampling& sampling,
                                   AnswerRandom* random);

}  // namespace fpo::train
