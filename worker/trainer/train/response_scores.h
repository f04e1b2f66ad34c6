#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "worker/trainer/model/gemma.h"
#include "worker/trainer/train/sequence_batch.h"

namespace fpo::train {

struct ResponseScores {
  at::Tensor logp;     // [batch] float64: sum of log-probs over response tokens; differentiable
  at::Tensor entropy;  // [batch] float64: sum over log-prob rows, nats; no gradient
  std::vector<at::Tensor>
      site_rows;  // per tap: [rows, width], the hidden states *at* response tokens
};

struct ScoringOptions {
  std::vector<Tap> taps;
  bool activation_checkpointing = false;
  int64_t chunk_rows = 256;  // logit rows alive at a time
};

// One forward of the model over a batch. Gradients follow the caller's grad mode.
ResponseScores ScoreSequences(const Gemma& model, const SequenceBatch& batch,
                              const ScoringOptions& options);

}  // namespace fpo::train
