#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo::train {

// Which model's top-k features a pair's distance uses.
enum class FeatureSelection { kUnion, kReference, kPolicy };
absl::StatusOr<FeatureSelection> ParseFeatureSelection(
    absl::string_view name);  // union | reference | policy

struct FeatureConstraintOptions {
  int64_t top_k = 50;
  FeatureSelection selection = FeatureSelection::kUnion;
  at::Tensor weights;  // phi, [features]; undefined: 1 everywhere
};

// Indices of the k largest entries of each row, values [n, F] -> [n, min(k, F)] int64; ties go to
// the lowest index.
at::Tensor TopIndices(const at::Tensor& values, int64_t k);

// The features that a distance compares.
struct SelectedColumns {
  at::Tensor columns;  // [n, c] int64; c <= 2k
  at::Tensor scale;    // [n, c] float64: phi, 0 where a column occurs for the second time
};
SelectedColumns SelectColumns(const at::Tensor& policy, const at::Tensor& reference,
                              const FeatureConstraintOptions& options);

// D = (1/k) sum over I of phi_i (policy_i - reference_i)^2 -> [n]. policy, reference: pooled
// features [n, F]. Differentiable in `policy` only; I is a constant and the divisor is k even when
// |I| differs.
at::Tensor FeatureDistance(const at::Tensor& policy, const at::Tensor& reference,
                           const FeatureConstraintOptions& options);

// The same when both sides hold only the selected columns [n, c]; weights, if defined, are [n, c]
// too.
at::Tensor ColumnDistance(const at::Tensor& policy, const at::Tensor& reference, int64_t top_k,
                          const at::Tensor& weights);

}  // namespace fpo::train
