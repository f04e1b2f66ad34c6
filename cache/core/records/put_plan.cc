#include "cache/core/records/put_plan.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/reference/record.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

absl::StatusOr<Record> DecodeFor(const Recipe& recipe, const PackedRecord& packed) {
  absl::StatusOr<Record> record = DecodeRecord(packed.bytes);
  if (!record.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("record ", ToHex(packed.key), " is malformed: ", record.status().message()));
  }
  const absl::Status belongs = CheckBelongs(*record, recipe);
  if (!belongs.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("record ", ToHex(packed.key), ": ", belongs.message()));
  }
  return record;
}

}  // namespace

absl::StatusOr<std::vector<PlannedRecord>> PlanPut(const Recipe& recipe,
                                                   absl::Span<const PackedRecord> records) {
  const bool has_features = !recipe.sae.empty();
  const Digest recipe_id = RecipeId(recipe);
  const Digest margin_id = RecipeId(MarginRecipe(recipe));
  std::vector<PlannedRecord> plan;
  plan.reserve(records.size() * (has_features ? 2 : 1));
  for (size_t i = 0; i < records.size(); ++i) {
    FPO_ASSIGN_OR_RETURN(const Record record, DecodeFor(recipe, records[i]));
    plan.push_back({.recipe_id = recipe_id, .record = &records[i], .answers = i});
    if (!has_features) continue;
    auto margin = std::make_unique<const PackedRecord>(Pack(records[i].key, MarginOnly(record)));
    plan.push_back({.recipe_id = margin_id, .record = margin.get(), .made = std::move(margin)});
  }
  return plan;
}

PutOutcome OutcomeFor(const PlannedRecord& planned, const std::optional<IndexEntry>& entry) {
  if (!entry || entry->quarantined) return PutOutcome::kStored;
  return entry->digest == planned.record->sha256 ? PutOutcome::kPresent : PutOutcome::kConflict;
}

PutResult CollectOutcomes(absl::Span<const PlannedRecord> plan, absl::Span<const PutOutcome> done) {
  PutResult result;
  for (size_t i = 0; i < plan.size(); ++i) {
    const PackedRecord& record = *plan[i].record;
    if (done[i] == PutOutcome::kStored) {
      result.added.push_back(
          {plan[i].recipe_id, record.key, static_cast<uint32_t>(record.bytes.size())});
    }
    if (plan[i].answers) {
      result.outcomes.push_back(done[i]);
    } else if (done[i] == PutOutcome::kConflict) {
      ++result.margin_conflicts;
    }
  }
  return result;
}

}  // namespace fpo::cache
