#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/job_config.h"
#include "worker/trainer/train/run_inputs.h"

namespace fpo::train {

// One value recomputed with the live model beside the reference's.
struct ProbeResult {
  int64_t responses = 0;
  double logp_error_max = 0;     // nats, over responses
  double feature_error_max = 0;  // relative to the largest pooled feature of the response
};

// Recomputes `pairs` with the policy, which is the reference at step 0, and compares with the
// reference values the run will use. A difference beyond the dtype's tolerance ends the job with
// the exit code for a foreign cache and shows both numbers.
absl::StatusOr<ProbeResult> ProbeReference(const RunInputs& inputs,
                                           const std::vector<TokenPairView>& pairs,
                                           const std::string& dtype);

// L0 and FVU of each SAE on a few responses of the policy; a sentence for each that plainly does
// not fit the model (wrong layer, site or scale).
struct SaeCheck {
  double l0 = 0;
  double fvu = 0;
  std::string warning;  // empty: fits
};
absl::StatusOr<std::vector<SaeCheck>> CheckSaes(const RunInputs& inputs,
                                                const std::vector<TokenPairView>& pairs);

}  // namespace fpo::train
