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

// A value that must be equal on all ranks: ranks on several hosts read their own copies of files,
// and a stale copy on one would silently train another model.
struct SharedFact {
  std::string what;  // "model.path"
  Digest digest;
};

// Everything a run reads: token files, weights, SAEs, recipe of the reference, feature weights
// and sets.
std::vector<SharedFact> SharedFactsOf(const JobConfig& job, const RunInputs& inputs);

// Collective. Fails alike on every rank, with the exit code for invalid input, naming the first
// rank that differs from rank 0 and in what.
absl::Status CheckRanksAgree(const std::vector<SharedFact>& facts, ProcessGroup& group);

// A checkpoint to resume from, with the digest of its manifest.
struct CheckpointChoice {
  int64_t step = 0;  // 0: none
  Digest digest = {};
};

// Collective. Returns rank 0's choice on every rank.
absl::StatusOr<CheckpointChoice> ChoiceOfRankZero(const CheckpointChoice& own, ProcessGroup& group);
}  // namespace fpo::train
