#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "common/job/job_config.h"
#include "common/plan/plan_sizes.h"
#include "train/data/token_file.h"
#include "train/model/gemma_config.h"
#include "train/reference/sequence_batch.h"
#include "train/runs/data_plan.h"

namespace fpo::train {

// The sizes of a batch of sequences; `sides`: 2 when the first half are the chosen responses and
// the second their rejected ones.
BatchSizes SizesOf(const std::vector<Sequence>& sequences, bool packed, int64_t sides);

// The sequences of a micro-batch, as the objective computes them; of kto the first of its passes.
std::vector<Sequence> SequencesOf(const TokenFile& pairs, const std::vector<int64_t>& batch,
                                  Responses responses);

// The few batches of many that may take most memory: those of most rows and most scored rows.
class FullestBatches {
 public:
  void Add(const BatchSizes& batch);
  void Add(const FullestBatches& more);
  std::vector<BatchSizes> Take() const;

 private:
  static constexpr size_t kKept = 3;
  std::vector<BatchSizes> by_rows_, by_scored_;
};

// What all micro-batches of some work have in common.
struct BatchesOfWork {
  FullestBatches first, later;  // of a step; of other work all are first
  int64_t micro_batches = 0;
  int64_t tokens = 0;  // computed
  double flops = 0;    // of forward passes

  void Add(const BatchesOfWork& more);  // work of another evaluation set
};

struct BatchRules {
  const GemmaConfig& config;
  Responses responses;
  bool packed;
};

// Of the first `steps` steps of one rank.
BatchesOfWork BatchesOfSteps(const TokenFile& pairs, const Batcher& batcher, int64_t steps,
                             const BatchRules& rules);
// Of an evaluation of the first `count` pairs, `tokens` at a time.
BatchesOfWork BatchesOfEvaluation(const TokenFile& pairs, int64_t count, int64_t tokens,
                                  const BatchRules& rules);
// Of scoring these responses, `tokens` at a time.
BatchesOfWork BatchesOfScoring(const std::vector<Sequence>& sequences, int64_t tokens,
                               const BatchRules& rules);

// Operations of a forward pass over a batch of these sizes, with the head on its scored rows:
// ForwardFlops from sizes alone, attention as if each row saw half of the longest sequence.
double ForwardFlopsOf(const GemmaConfig& config, const BatchSizes& batch);

}  // namespace fpo::train
