#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "cache/core/store/stored_values.h"
#include "common/values/compute_cost.h"

namespace fpo::cache {

// What a record of each recipe costs, as its builders measured it, and from that what a hit saves.
// Not thread-safe.
class CostLedger {
 public:
  explicit CostLedger(std::map<Digest, RecipeCost> known) : costs_(std::move(known)) {}

  void Add(const Digest& recipe_id, const RecipeCost& cost);
  // Nothing for a recipe whose cost nobody has measured.
  ComputeCost SavedBy(const Digest& recipe_id, int64_t hits) const;
  // What changed since the last call, to be stored.
  std::vector<std::pair<Digest, RecipeCost>> TakeChanged();

 private:
  std::map<Digest, RecipeCost> costs_;
  std::map<Digest, RecipeCost> changed_;
};

}  // namespace fpo::cache
