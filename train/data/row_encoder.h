#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "train/data/admission.h"
#include "train/rows/preference_row.h"

namespace fpo::train {

// Encodes many rows on LibTorch's task pool, one per core at a time. The results are in row order
// and do not depend on the number of threads. Returns the first error of any row.
absl::StatusOr<std::vector<std::vector<AdmissionCandidate>>> EncodeRows(
    const Admission& admission, const std::vector<PreferenceRow>& rows);

}  // namespace fpo::train
