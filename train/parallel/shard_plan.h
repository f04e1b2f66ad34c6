#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "train/ops/named_tensors.h"

namespace fpo::train {

// Tensors that are exchanged together: those before the blocks, of one block, or behind the blocks.
struct ShardBucket {
  static constexpr int64_t kBeforeBlocks = -1;
  static constexpr int64_t kBehindBlocks = std::numeric_limits<int64_t>::max();

  int64_t layer = kBeforeBlocks;
  size_t first = 0;  // of its tensors in the list
  size_t count = 0;
  int64_t elements = 0;
  int64_t range = 0;  // elements of a rank's range: the last ranks' may lack some, or all
};

// A run of elements of a flattened tensor that lies in one rank's range.
struct ShardPiece {
  size_t bucket = 0;
  size_t tensor = 0;  // in the list
  int64_t begin = 0;
  int64_t end = 0;
  int64_t offset = 0;  // of `begin` in the range
};

// Cuts a model's tensors, or an adapter's, into buckets, and each bucket, as one flat run of its
// tensors in their order, into a range of equal length for every rank.
class ShardPlan {
 public:
  // Block by block: names with "layers.N." in the order of N, others before or behind them.
  ShardPlan(const NamedTensors& tensors, int64_t world);

  const std::vector<ShardBucket>& buckets() const { return buckets_; }
  int64_t world() const { return world_; }
  int64_t RangeElements() const;  // of a rank, in all buckets
  // What lies in a rank's ranges, bucket by bucket, in order.
  std::vector<ShardPiece> PiecesOf(int64_t rank) const;

 private:
  int64_t world_;
  std::vector<ShardBucket> buckets_;
  std::vector<int64_t> elements_;  // of each tensor
};

}  // namespace fpo::train
