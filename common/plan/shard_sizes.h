#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/plan/plan_sizes.h"

namespace fpo {

// What decides how a run's training state is divided among its ranks.
struct ShardSizes {
  std::string shard = "none";  // none | optimizer | gradients: what the run does, not `auto`
  int64_t world = 1;
  int64_t element_bytes = 2;      // of weights
  int64_t optimizer_moments = 2;  // values that the optimiser keeps for each weight
};

// Bytes of one rank, the fullest: the last may have less. Beside activations and the vocabulary
// head.
struct ShardedBytes {
  int64_t weights = 0;        // of the model, and of an adapter
  int64_t masters = 0;        // float32; 0 where weights are their own
  int64_t moments = 0;        // float32
  int64_t gradients = 0;      // float32: those alive at the fullest moment of backward
  int64_t gradient_sums = 0;  // of this rank's ranges, sharded
  int64_t exchange = 0;       // what is on its way during backward
  int64_t gather = 0;         // updated weights on their way, after backward

  // Of a step: the exchange is over when weights are gathered.
  int64_t Step() const;
};

// Elements of the buckets of train/parallel/shard_plan.h: embedding, blocks, final norm and head;
// of an adapter its blocks alone.
std::vector<int64_t> BucketElements(const ModelSizes& model);

ShardedBytes BytesOfRank(const ModelSizes& model, const ShardSizes& sizes);

}  // namespace fpo
