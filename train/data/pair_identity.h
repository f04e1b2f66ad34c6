#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "common/values/digest.h"
#include "train/data/token_file.h"

namespace fpo::train {

// What a pair is, whichever of its responses is called chosen: SHA-256 of token ids.
struct PairIdentity {
  Digest prompt{};
  Digest pair{};            // of the prompt and both responses, in an order of their own
  bool is_swapped = false;  // chosen stands behind rejected in that order
};
PairIdentity IdentityOf(const TokenPairView& pair);
std::vector<PairIdentity> IdentitiesOf(const TokenFile& pairs);

// Names the pair with its sides in their order: 16 hexadecimal digits.
std::string PairName(const TokenPairView& pair);

// Evaluation pairs that are training pairs too: what is measured on them is memory.
struct SharedPairs {
  int64_t pairs = 0;    // with these two responses to this prompt
  int64_t swapped = 0;  // of these, never with the same one chosen
  int64_t prompts = 0;  // whose prompt is that of a training pair; those of `pairs` count too
  struct Example {
    int64_t eval = 0, train = 0;  // positions among the pairs
    bool operator==(const Example&) const = default;
  };
  std::vector<Example> examples;  // of `pairs`, the first five
};
SharedPairs FindSharedPairs(absl::Span<const PairIdentity> train,
                            absl::Span<const PairIdentity> eval);

// Pairs whose like was seen before, in one input.
struct RepeatedPairs {
  int64_t repeated = 0;          // pairs whose prompt and responses an earlier pair has
  int64_t contradictions = 0;    // pairs for which another pair chooses the other response
  int64_t repeated_prompts = 0;  // pairs whose prompt an earlier pair has
  std::vector<SharedPairs::Example> examples;  // of contradictions, first and later pair; 20
};
RepeatedPairs FindRepeatedPairs(absl::Span<const PairIdentity> pairs);

}  // namespace fpo::train
