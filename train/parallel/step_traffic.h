#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "train/parallel/shard_plan.h"
#include "train/parallel/sharding.h"

namespace fpo::train {

// Bytes that one rank gives to the others, each once for each rank that gets it, without what
// transports add.
struct StepTraffic {
  int64_t gradients = 0;
  int64_t weights = 0;
  int64_t metrics = 0;

  bool operator==(const StepTraffic&) const = default;
  std::map<std::string, double> Metrics() const;  // of a step
};

struct TrafficInputs {
  Sharding sharding = Sharding::kNone;
  int64_t gradient_bytes = 4;  // of an element
  int64_t weight_bytes = 2;
  int64_t rounds = 1;         // with sharded gradients: the most micro-batches that a rank has
  int64_t summed_values = 0;  // metrics and other numbers that are summed over the ranks
};

// What a step costs, by formula. W ranks, each with ranges of R elements in all:
//   gradients: each rank gives the others their ranges: (W - 1) R, in each round; not sharded, it
//              then gives them the sum of its own: twice that
//   weights:   each gives its own range to all: (W - 1) R; not sharded, none
StepTraffic TrafficOfStep(const ShardPlan& plan, const TrafficInputs& inputs);

}  // namespace fpo::train
