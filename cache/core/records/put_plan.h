#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "cache/core/store/store.h"

namespace fpo::cache {

// One value that a put is to store.
struct PlannedRecord {
  Digest recipe_id{};
  const PackedRecord* record = nullptr;           // one of the caller's, or `made`
  std::optional<size_t> answers = std::nullopt;   // position in the caller's records; none: `made`
  std::unique_ptr<const PackedRecord> made = {};  // a margin-only form
};

// The records of a put, checked to be of this recipe, and for a recipe with SAEs the margin-only
// form of each. InvalidArgument names the key of a record that is malformed or has another number
// of feature lists than the recipe has SAEs. The plan points into `records`.
absl::StatusOr<std::vector<PlannedRecord>> PlanPut(const Recipe& recipe,
                                                   absl::Span<const PackedRecord> records);

// The outcome of a planned record in a store with `entry` (nullopt: absent) under its key.
PutOutcome OutcomeFor(const PlannedRecord& planned, const std::optional<IndexEntry>& entry);

// Combines the outcomes of all planned records into the result.
PutResult CollectOutcomes(absl::Span<const PlannedRecord> plan, absl::Span<const PutOutcome> done);

}  // namespace fpo::cache
