#include "cache/core/records/cost_ledger.h"

namespace fpo::cache {

void CostLedger::Add(const Digest& recipe_id, const RecipeCost& cost) {
  if (cost.records <= 0 || (cost.seconds <= 0 && cost.flops <= 0)) return;
  RecipeCost& sum = costs_[recipe_id];
  sum.records += cost.records;
  sum.seconds += cost.seconds;
  sum.flops += cost.flops;
  changed_[recipe_id] = sum;
}

ComputeCost CostLedger::SavedBy(const Digest& recipe_id, int64_t hits) const {
  const auto it = costs_.find(recipe_id);
  if (it == costs_.end() || it->second.records <= 0) return {};
  const double share = static_cast<double>(hits) / static_cast<double>(it->second.records);
  return {.seconds = share * it->second.seconds, .flops = share * it->second.flops};
}

std::vector<std::pair<Digest, RecipeCost>> CostLedger::TakeChanged() {
  std::vector<std::pair<Digest, RecipeCost>> changed(changed_.begin(), changed_.end());
  changed_.clear();
  return changed;
}

}  // namespace fpo::cache
