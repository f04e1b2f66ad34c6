#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "train/model/gemma.h"
#include "train/ops/vocab_head.h"
#include "train/reference/sequence_batch.h"

namespace fpo::train {

// A forward's hidden states on the batch's two row lists, in the order of the sequences.
struct HiddenRows {
  at::Tensor hidden;              // [rows, hidden_size] after the final norm, at log-prob rows
  std::vector<at::Tensor> sites;  // per tap: [rows, width], the hidden states *at* response tokens
};

struct ResponseScores {
  at::Tensor logp;         // [batch] float64: sum of log-probs over response tokens; differentiable
  at::Tensor entropy;      // [batch] float64: sum over log-prob rows, nats; no gradient
  at::Tensor entropy_top;  // the same over the most likely tokens; undefined unless asked for
  // With a reference only, [batch] float64:
  at::Tensor kl;                      // sequential KL(ref || policy); differentiable
  at::Tensor reference_logp;          // no gradient
  std::vector<at::Tensor> site_rows;  // HiddenRows::sites
};

// Responses' sums, [sides * count] float64, the responses of one side after those of the other.
struct SideSums {
  at::Tensor logp;
  at::Tensor kl, reference_logp;  // with a reference only
};
// A loss's gradient to them; undefined: 0.
struct SideGradients {
  at::Tensor logp, kl;
};
// A loss that is a sum over units: response i of each of the batch's sides, batch.sequences / sides
// responses long. `gradient` gets the sums of units [first, first + count).
struct UnitLoss {
  int64_t sides = 2;
  std::function<SideGradients(int64_t first, int64_t count, const SideSums& sums)> gradient;
};

struct ScoringOptions {
  std::vector<Tap> taps;
  const SiteEdit* edit = nullptr;         // see ForwardOptions; of a padded batch
  bool sites_only = false;                // of ForwardRows: there is no hidden
  bool activation_checkpointing = false;  // of all layers, or of the first ones
  int64_t checkpointed_layers = 0;
  // Logits in memory at a time, including the reference's: a unit of the loss may take four times
  // as much; where one takes more, logits are computed once more in backward.
  int64_t logit_bytes = int64_t{256} << 20;
  int64_t entropy_top = 0;
  VocabReference reference = {};  // rows as in HiddenRows::hidden
  UnitLoss loss = {};             // of the scores; without one backward computes logits again
};

// The model's part of scoring. Gradients follow the caller's grad mode.
HiddenRows ForwardRows(const Gemma& model, const SequenceBatch& batch,
                       const ScoringOptions& options);
// The vocabulary head's part of scoring.
ResponseScores ScoreRows(const Gemma& model, const SequenceBatch& batch, const HiddenRows& rows,
                         const ScoringOptions& options);
// Both parts.
ResponseScores ScoreSequences(const Gemma& model, const SequenceBatch& batch,
                              const ScoringOptions& options);

}  // namespace fpo::train
