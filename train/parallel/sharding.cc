#include "train/parallel/sharding.h"

#include "absl/strings/str_cat.h"

namespace fpo::train {

absl::StatusOr<Sharding> ChooseSharding(absl::string_view word, int64_t world) {
  Sharding sharding = Sharding::kOptimizer;
  if (word == "none") {
    sharding = Sharding::kNone;
  } else if (word == "gradients") {
    sharding = Sharding::kGradients;
  } else if (word != "auto" && word != "optimizer") {
    return absl::InvalidArgumentError(absl::StrCat(
        "parallel.shard is \"", word, "\"; allowed are auto, none, optimizer and gradients"));
  }
  return world > 1 ? sharding : Sharding::kNone;
}

std::string ShardingName(Sharding sharding) {
  switch (sharding) {
    case Sharding::kOptimizer:
      return "optimizer";
    case Sharding::kGradients:
      return "gradients";
    case Sharding::kNone:
      break;
  }
  return "none";
}

std::string DescribeSharding(Sharding sharding, int64_t world) {
  if (world == 1) return "";
  switch (sharding) {
    case Sharding::kOptimizer:
      return absl::StrCat("optimiser state sharded over ", world, " ranks");
    case Sharding::kGradients:
      return absl::StrCat("gradients and optimiser state sharded over ", world, " ranks");
    case Sharding::kNone:
      break;
  }
  return absl::StrCat("nothing sharded over ", world, " ranks");
}

}  // namespace fpo::train
