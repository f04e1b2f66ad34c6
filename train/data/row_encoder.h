#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "train/data/admission.h"
#include "train/data/preference_row.h"

namespace fpo::train {

// Encodes many rows on LibTorch's task pool, as many at a time as the machine has cores. The
// results stand in the order of the rows and do not depend on the number of threads. The first
// error of any row is returned.
absl::StatusOr<std::vector<std::vector<AdmissionCandidate>>> EncodeRows(
    const Admission& admission, const std::vector<PreferenceRow>& rows);

}  // namespace fpo::train
