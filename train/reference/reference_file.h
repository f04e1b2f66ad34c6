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

// The file that `--reference auto` maintains: a record under `recipe` for every response ever
// requested.
struct ReferenceFileRequest {
  std::string path;
  Recipe recipe;
  absl::Span<const ReferenceResponse> responses;
};

struct ReferenceFileResult {
  int64_t reused = 0;    // taken from the existing file
  int64_t computed = 0;  // by forward passes
  double seconds = 0;    // spent computing
};

// Completes the file, computing only what an older file of the same recipe lacks; records beyond
// the request are kept. `scorer` is called only when something is missing, since it loads the
// reference model. `progress` counts existing records as done.
absl::StatusOr<ReferenceFileResult> CompleteReferenceFile(
    const ReferenceFileRequest& request, const std::function<absl::StatusOr<Scorer>()>& make_scorer,
    const KeepScoring& keep);

}  // namespace fpo::train
