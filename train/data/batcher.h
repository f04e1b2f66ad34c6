#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace fpo::train {

// The pairs of one optimiser step, by index into the token file, cut into micro-batches for this
// rank.
struct BatchStep {
  int64_t epoch = 0;
  int64_t position = 0;                             // pairs of this epoch before this step
  int64_t pairs = 0;                                // over all ranks: N of the loss
  std::vector<std::vector<int64_t>> micro_batches;  // longest pairs first; none is empty
};

// Tokens of the pairs of a token file.
struct PairLengths {
  // NOLINTNEXTLINE(google-explicit-constructor): padded batches need no more
  PairLengths(std::vector<int64_t> longest_sequences, std::vector<int64_t> packed_tokens = {})
      : longest(std::move(longest_sequences)), packed(std::move(packed_tokens)) {}
  std::vector<int64_t> longest;  // of each pair's longer sequence (TokenFile::LongestSequence)
  std::vector<int64_t> packed;  // of prompt and responses (TokenFile::PackedTokens); empty: batches
                                // are padded

  int64_t At(int64_t pair) const {
    return (packed.empty() ? longest : packed)[static_cast<size_t>(pair)];
  }
};

// The order of the data, a pure function of (seed, step): a resumed run sees what the uninterrupted
// one would have. The shuffle is our own, the same with every compiler. Thread-safe.
class Batcher {
 public:
  struct Options {
    int64_t pairs_per_step = 32;  // over all ranks
    // packed, or padded: sequences times the longest; a longer pair is a micro-batch by itself
    int64_t tokens_per_microbatch = 16384;
    int64_t sequences_per_pair = 2;  // 1 for SFT
    bool shuffle = true;
    uint64_t seed = 42;
    int64_t rank = 0;
    int64_t world = 1;
  };
  Batcher(PairLengths lengths, Options options);  // of one pair at least

  int64_t pairs() const { return static_cast<int64_t>(lengths_.longest.size()); }
  int64_t StepsPerEpoch() const;       // the last, partial step of an epoch counts
  BatchStep Step(int64_t step) const;  // from 0, over all epochs
  // The same pairs, cut by another number of tokens.
  BatchStep Step(int64_t step, int64_t tokens_per_microbatch) const;
  std::vector<int64_t> EpochOrder(int64_t epoch) const;  // a permutation of [0, pairs)
  double EpochsAfter(int64_t steps) const;               // epochs seen so far, e.g. 1.5
  // What counts against tokens_per_microbatch.
  int64_t TokensOf(const std::vector<int64_t>& micro_batch) const;

 private:
  using Order = std::shared_ptr<const std::vector<int64_t>>;
  Order OrderOf(int64_t epoch) const;  // EpochOrder, cached from the previous step

  PairLengths lengths_;
  Options options_;
  struct Kept {
    absl::Mutex mutex;
    int64_t epoch ABSL_GUARDED_BY(mutex) = -1;
    Order order ABSL_GUARDED_BY(mutex);
  };
  std::unique_ptr<Kept> kept_ = std::make_unique<Kept>();
};

// Cuts pairs (any order) into micro-batches by packed or padded tokens, longest first.
std::vector<std::vector<int64_t>> CutMicroBatches(std::vector<int64_t> pairs,
                                                  const PairLengths& lengths,
                                                  const Batcher::Options& options);
// Packed or padded tokens of a micro-batch.
int64_t MicroBatchTokens(const std::vector<int64_t>& pairs, const PairLengths& lengths,
                         int64_t sequences_per_pair);

}  // namespace fpo::train
