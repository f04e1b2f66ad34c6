#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/reference/record_file.h"
#include "train/prepare/reference_keys.h"
#include "train/reference/scorer.h"

namespace fpo::train {

// Writes the records of `responses` in their order. Atomic: the file is complete or absent.
absl::Status WriteRecords(const std::string& path, const Recipe& recipe,
                          absl::Span<const ReferenceResponse> responses,
                          const std::vector<Record>& records);

// The file `--reference auto` keeps: a record under `recipe` for every response that was ever asked
// for.
struct ReferenceFileRequest {
  std::string path;
  Recipe recipe;
  absl::Span<const ReferenceResponse> responses;
};

struct ReferenceFileResult {
  int64_t reused = 0;    // taken from the file that was there
  int64_t computed = 0;  // by forward passes now
  double seconds = 0;    // spent computing
};

// Makes the file complete, computing only what an older file of the same recipe does not hold; what
// it holds beyond the request stays. `scorer` is called only when something is missing: it loads
// the reference model. `progress` counts what was there as done.
absl::StatusOr<ReferenceFileResult> CompleteReferenceFile(
    const ReferenceFileRequest& request, const std::function<absl::StatusOr<Scorer>()>& make_scorer,
    const KeepScoring& keep);

}  // namespace fpo::train
