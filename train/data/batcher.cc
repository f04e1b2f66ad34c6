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

}  // namespace

Batcher::Batcher(std::vector<int64_t> longest_sequence, Options options)
    : longest_(std::move(longest_sequence)), options_(options) {}

int64_t Batcher::StepsPerEpoch() const {
  return (pairs() + options_.pairs_per_step - 1) / options_.pairs_per_step;
}

std::vector<int64_t> Batcher::EpochOrder(int64_t epoch) const {
  std::vector<int64_t> order(longest_.size());
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
  std::sort(all.begin(), all.end(), [&](int64_t a, int64_t b) {
    const int64_t la = longest_[static_cast<size_t>(a)], lb = longest_[static_cast<size_t>(b)];
    return la != lb ? la > lb : a < b;
  });
  std::vector<int64_t> mine;
  for (int64_t i = options_.rank; i < out.pairs; i += options_.world) {
    mine.push_back(all[static_cast<size_t>(i)]);
  }
  Options cut = options_;
  cut.tokens_per_microbatch = tokens_per_microbatch;
  out.micro_batches = CutMicroBatches(std::move(mine), longest_, cut);
  return out;
}

std::vector<std::vector<int64_t>> CutMicroBatches(std::vector<int64_t> pairs,
                                                  const std::vector<int64_t>& longest_sequence,
                                                  const Batcher::Options& options) {
  const auto longest = [&](int64_t pair) { return longest_sequence[static_cast<size_t>(pair)]; };
  std::sort(pairs.begin(), pairs.end(), [&](int64_t a, int64_t b) {
    return longest(a) != longest(b) ? longest(a) > longest(b) : a < b;
  });
  std::vector<std::vector<int64_t>> batches;
  int64_t room = 0;
  for (const int64_t pair : pairs) {
    if (room == 0) {
      const int64_t tokens = std::max<int64_t>(1, longest(pair) * options.sequences_per_pair);
      room = std::max<int64_t>(1, options.tokens_per_microbatch / tokens);
      batches.emplace_back();
    }
    batches.back().push_back(pair);
    --room;
  }
  return batches;
}

}  // namespace fpo::train
