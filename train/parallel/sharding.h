#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo::train {

// What each rank keeps of its own range only, and not whole (parallel.shard of a job).
enum class Sharding {
  kNone,       // every rank has everything
  kOptimizer,  // float32 masters and moments
  kGradients,  // and gradients
};

// The sharding of a run: with one rank none, and `auto` is optimizer. InvalidArgument for a word
// that is none of auto, none, optimizer and gradients.
absl::StatusOr<Sharding> ChooseSharding(absl::string_view word, int64_t world);

std::string ShardingName(Sharding sharding);  // as in a job file

// "optimiser state sharded over 4 ranks"; empty: a run of one rank.
std::string DescribeSharding(Sharding sharding, int64_t world);

}  // namespace fpo::train
