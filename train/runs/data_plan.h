#pragma once

#include <cstdint>

#include "common/job/job_config.h"
#include "train/data/batcher.h"
#include "train/data/token_file.h"
#include "train/loss/preference_loss.h"
#include "train/prepare/reference_keys.h"

namespace fpo::train {

// Which pairs a job reads, in which order. Trainer and reference pass both use it, so that the
// records computed are the records read.

// Which responses of a pair a micro-batch holds: both, the chosen one (SFT), or, in passes of their
// own, each (KTO).
enum class Responses { kBoth, kChosen, kOneAtATime };
Responses ResponsesOf(Method method);

// Tokens of the first `count` pairs; `packed`: as in PacksBatches.
PairLengths LengthsOf(const TokenFile& pairs, int64_t count, Responses responses, bool packed);

// The batches of one rank. `train` must not be empty.
Batcher MakeBatcher(const JobConfig& job, const TokenFile& train, int64_t rank, int64_t world);
Batcher MakeBatcher(const JobConfig& job, PairLengths lengths, int64_t rank, int64_t world);
// The first `count` pairs of epoch 0.
std::vector<TokenPairView> FirstPairs(const Batcher& batcher, const TokenFile& train,
                                      int64_t count);
// The last step of the run.
int64_t TotalSteps(const JobConfig& job, const Batcher& batcher);

// Number of pairs that SAEs are measured on before the first step.
inline constexpr int64_t kSaeCheckPairs = 4;
// Number of pairs from the start of the first epoch that are compared with their records before
// step 1; 0: no such check.
int64_t ProbedPairs(const JobConfig& job);

// The pairs whose reference records are read by a run, with its start checks and evaluations, and
// by an evaluation alone.
PairSelection PairsOfRun(const JobConfig& job, const JobTokens& tokens);
PairSelection PairsOfEvaluation(const JobConfig& job, const JobTokens& tokens);
// By the job's kind. Kind reference computes records for runs to come: all of its data, or, when
// max_steps is given, what a run of so many steps reads.
PairSelection PairsOfJob(const JobConfig& job, const JobTokens& tokens);

}  // namespace fpo::train
