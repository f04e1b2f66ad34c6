#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "train/data/batcher.h"
#include "train/reference/response_scores.h"
#include "train/reference/sequence_batch.h"
#include "train/runs/run_inputs.h"

namespace fpo::train {

// One value recomputed with the live model, next to the reference's.
struct ProbeResult {
  int64_t responses = 0;
  double logp_error_max = 0;     // nats, over responses
  double feature_error_max = 0;  // relative to the largest pooled feature of the response
};

// A few pairs under the current policy, the input of both checks.
struct LivePairs {
  SequenceBatch batch;
  std::vector<Sequence> sequences;
  ResponseScores scores;
};
absl::StatusOr<LivePairs> ScoreLive(const RunInputs& inputs,
                                    const std::vector<TokenPairView>& pairs);

// Compares with the reference values the run will use: at step 0 the policy is the reference.
// Beyond the dtype's tolerance it fails with the exit code for a foreign cache and shows both
// numbers.
absl::StatusOr<ProbeResult> ProbeReference(const RunInputs& inputs, const LivePairs& live,
                                           const std::string& dtype);

// The reference log-probs of both sides of the pairs, as stored in the records: saved with
// checkpoints. Empty without pairs.
absl::StatusOr<std::vector<double>> ReferenceProbe(const RunInputs& inputs,
                                                   const std::vector<TokenPairView>& pairs);
// Compares a checkpoint's probe with that of the current records, over their common length; fails
// with the exit code for a foreign cache when they differ by more than another machine's rounding.
absl::Status CompareProbes(const std::vector<double>& before, const std::vector<double>& now,
                           const std::string& dtype);

// L0 and FVU of each SAE on the pairs, with a warning for each that clearly does not fit the model
// (wrong layer, site or scale).
struct SaeCheck {
  double l0 = 0;
  double fvu = 0;
  std::string warning;  // empty: fits
};
std::vector<SaeCheck> CheckSaes(const RunInputs& inputs, const LivePairs& live);

// Both checks at step 0 on the first training pairs. Without records of this very model there is no
// probe.
absl::Status CheckStart(const JobConfig& job, const RunInputs& inputs, const Batcher& batcher,
                        const std::function<void(const std::string&)>& warn);

// Frees the decoders, which only CheckSaes reads.
void FreeDecoders(std::vector<LoadedSae>* saes);

}  // namespace fpo::train
