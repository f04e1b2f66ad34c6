#include "train/data/batcher.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace fpo::train {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014): every seed gives a full-period, well mixed stream.
class RandomStream {
 public:
  explicit RandomStream(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }

  // Uniform in [0, bound), without the bias of a plain remainder.
  uint64_t Below(uint64_t bound) {
    const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    uint64_t value = Next();
    while (value >= limit) value = Next();
    return value % bound;
  }

 private:
  uint64_t state_;
};

void LongestFirst(const PairLengths& lengths, std::vector<int64_t>* pairs) {
  std::sort(pairs->begin(), pairs->end(), [&](int64_t a, int64_t b) {
    return lengths.At(a) != lengths.At(b) ? lengths.At(a) > lengths.At(b) : a < b;
  });
}

}  // namespace

Batcher::Batcher(PairLengths lengths, Options options)
    : lengths_(std::move(lengths)), options_(options) {}

int64_t Batcher::StepsPerEpoch() const {
  return (pairs() + options_.pairs_per_step - 1) / options_.pairs_per_step;
}

std::vector<int64_t> Batcher::EpochOrder(int64_t epoch) const {
  std::vector<int64_t> order(lengths_.longest.size());
  std::iota(order.begin(), order.end(), 0);
  if (!options_.shuffle) return order;
  RandomStream epoch_seed(options_.seed);
  const uint64_t mixed = epoch_seed.Next() + static_cast<uint64_t>(epoch);
  RandomStream random(mixed);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
  return order;
}

Batcher::Order Batcher::OrderOf(int64_t epoch) const {
  absl::MutexLock lock(&kept_->mutex);
  if (kept_->epoch != epoch) {
    kept_->order = std::make_shared<const std::vector<int64_t>>(EpochOrder(epoch));
    kept_->epoch = epoch;
  }
  return kept_->order;
}

double Batcher::EpochsAfter(int64_t steps) const {
  const int64_t whole = steps / StepsPerEpoch();
  const int64_t begun = steps % StepsPerEpoch() * options_.pairs_per_step;
  return static_cast<double>(whole) + static_cast<double>(begun) / static_cast<double>(pairs());
}

BatchStep Batcher::Step(int64_t step) const { return Step(step, options_.tokens_per_microbatch); }

BatchStep Batcher::Step(int64_t step, int64_t tokens_per_microbatch) const {
  BatchStep out;
  out.epoch = step / StepsPerEpoch();
  out.position = step % StepsPerEpoch() * options_.pairs_per_step;
  out.pairs = std::min(options_.pairs_per_step, pairs() - out.position);
  const Order order = OrderOf(out.epoch);
  const auto begin = order->begin() + out.position;
  std::vector<int64_t> all(begin, begin + out.pairs);
  // Dealing the sorted pairs in turn gives every rank about the same work.
  LongestFirst(lengths_, &all);
  std::vector<int64_t> mine;
  for (int64_t i = options_.rank; i < out.pairs; i += options_.world) {
    mine.push_back(all[static_cast<size_t>(i)]);
  }
  Options cut = options_;
  cut.tokens_per_microbatch = tokens_per_microbatch;
  out.micro_batches = CutMicroBatches(std::move(mine), lengths_, cut);
  return out;
}

int64_t Batcher::TokensOf(const std::vector<int64_t>& micro_batch) const {
  return MicroBatchTokens(micro_batch, lengths_, options_.sequences_per_pair);
}

int64_t MicroBatchTokens(const std::vector<int64_t>& pairs, const PairLengths& lengths,
                         int64_t sequences_per_pair) {
  int64_t sum = 0, longest = 0;
  for (const int64_t pair : pairs) {
    sum += lengths.At(pair);
    longest = std::max(longest, lengths.longest[static_cast<size_t>(pair)]);
  }
  return lengths.packed.empty() ? static_cast<int64_t>(pairs.size()) * sequences_per_pair * longest
                                : sum;
}

std::vector<std::vector<int64_t>> CutMicroBatches(std::vector<int64_t> pairs,
                                                  const PairLengths& lengths,
                                                  const Batcher::Options& options) {
  LongestFirst(lengths, &pairs);
  std::vector<std::vector<int64_t>> batches;
  const bool padded = lengths.packed.empty();
  int64_t cost = 0, room = 0;
  for (const int64_t pair : pairs) {
    const int64_t own = padded ? lengths.At(pair) * options.sequences_per_pair : lengths.At(pair);
    if (!padded) cost = own;  // padded, each costs what the first of its batch, the longest, does
    if (batches.empty() || cost > room) {
      cost = own;
      batches.emplace_back();
      room = std::max(options.tokens_per_microbatch, cost);
    }
    batches.back().push_back(pair);
    room -= cost;
  }
  return batches;
}

}  // namespace fpo::train
