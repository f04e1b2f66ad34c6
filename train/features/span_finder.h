#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "common/features/feature_report.h"

namespace fpo::train {

// A response and the codes of some features at its tokens that have rows.
struct SpanSource {
  absl::Span<const int32_t> response;  // may have context ids, which have no rows
  at::Tensor after;                    // [rows, features], float32 on the CPU
  at::Tensor before;                   // the same; undefined: the reference was not run
  FeatureSpan place;                   // pair, row, id, side
};

// Finds the responses where each of some features fires strongest, under either model, and keeps
// the tokens around the strongest. Not thread-safe.
class SpanFinder {
 public:
  // `spans` for each of `features`, of up to 2 * `around` + 1 tokens.
  SpanFinder(int64_t features, int64_t spans, int64_t around);

  void Add(const SpanSource& source);

  // The strongest first; of equal ones the one added first. A span's texts are still missing: `ids`
  // are its tokens.
  struct Found {
    FeatureSpan span;
    std::vector<int32_t> ids;
    double strength = 0;  // the largest code, before or after
  };
  const std::vector<Found>& Of(int64_t feature) const {
    return found_[static_cast<size_t>(feature)];
  }

 private:
  Found Cut(const SpanSource& source, int64_t feature, int64_t row) const;

  int64_t spans_, around_;
  std::vector<std::vector<Found>> found_;
};

}  // namespace fpo::train
