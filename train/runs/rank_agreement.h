#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/hash.h"
#include "common/job/job_config.h"
#include "train/collective/process_group.h"
#include "train/runs/run_inputs.h"

namespace fpo::train {

// Something that every rank must have alike: ranks on several hosts read their own copies of files,
// and an old copy on one of them would train another model without a word.
struct SharedFact {
  std::string what;  // "model.path"
  Digest digest;
};

// Of what a run reads: token files, weights, SAEs, recipe of the reference, feature weights.
std::vector<SharedFact> SharedFactsOf(const JobConfig& job, const RunInputs& inputs);

// Collective. The exit code for invalid input, alike on every rank, names the first rank that
// differs from rank 0 and in what.
absl::Status CheckRanksAgree(const std::vector<SharedFact>& facts, ProcessGroup& group);

// A checkpoint to go on from, with the digest of its manifest.
struct CheckpointChoice {
  int64_t step = 0;  // 0: none
  Digest digest = {};
};

// Collective. What rank 0 found, on every rank.
absl::StatusOr<CheckpointChoice> ChoiceOfRankZero(const CheckpointChoice& own, ProcessGroup& group);
}  // namespace fpo::train
