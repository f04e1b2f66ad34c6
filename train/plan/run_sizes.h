#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "common/plan/memory_plan.h"
#include "train/data/token_file.h"
#include "train/model/gemma_config.h"
#include "train/plan/plan_batches.h"
#include "train/prepare/reference_keys.h"
#include "train/reference/sequence_batch.h"

namespace fpo::train {

// What a plan is made from: the job's own data and the shapes of model and SAE, no weights.
struct PlanFacts {
  GemmaConfig config;
  std::vector<SaeSizes> saes;
  std::vector<double> sae_l0;  // expected active features of a token
  int64_t weight_file_bytes = 0;
  int64_t same_type_bytes = 0;  // of these, in the job's dtype already
  int64_t sae_file_bytes = 0;
  bool on_device = false;
  int64_t threads = 1;
  int64_t program_bytes = 0;
};

// How a run of a job goes through its data.
struct PlannedWork {
  BatchRules rules;
  int64_t steps = 0;
  BatchesOfWork training, evaluation, scoring, check;
  int64_t responses = 0;          // of the reference, distinct, that the job reads
  std::vector<Sequence> missing;  // of them, whose records are not in the run's folder
};

PlannedWork WorkOf(const JobConfig& job, const PlanFacts& facts, const JobTokens& tokens);
// Pairs of one evaluation, over all sets of data.eval.
int64_t EvaluatedPairs(const JobConfig& job, const JobTokens& tokens);

// `overlaps`: writing a checkpoint takes longer than the next step takes to its fullest moment.
RunSizes SizesOfRun(const JobConfig& job, const PlanFacts& facts, const PlannedWork& work,
                    bool overlaps);

// Whether reference values come from records, computed by this run where they are missing.
bool ScoresRecords(const JobConfig& job);
bool HoldsReference(const JobConfig& job);  // the model itself, in memory

}  // namespace fpo::train
