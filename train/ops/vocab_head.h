#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace fpo::train {

// The frozen reference's side of the same rows, for the KL to its next-token distributions.
struct VocabReference {
  at::Tensor hidden;   // [rows, d_ref]; undefined: no KL
  at::Tensor head;     // [vocab, d_ref], same dtype as `hidden`
  double softcap = 0;  // of the reference's config
};

// Rows [first, first + count).
struct RowRange {
  int64_t first = 0;
  int64_t count = 0;
};
// Rows whose logits are in memory together.
using RowChunk = std::vector<RowRange>;

// A chunk's scores, [rows of the chunk] in the order of its ranges, without gradients.
struct ChunkScores {
  at::Tensor log_probs;
  at::Tensor kl, reference_log_probs;  // with a reference only
};
// A loss's gradient to them, same shapes; undefined: 0.
struct ChunkGradients {
  at::Tensor log_probs, kl;
};
using ChunkLoss = std::function<ChunkGradients(size_t chunk, const ChunkScores& scores)>;

struct VocabHeadOptions {
  double softcap = 0;        // 0: none; otherwise logits become cap * tanh(logit / cap)
  int64_t chunk_rows = 256;  // rows of logits in memory at a time
  int64_t valid_vocab =
      0;  // ids at or above it are padding and get probability 0; 0: the whole vocabulary
  int64_t entropy_top = 0;  // also the entropy over this many most likely tokens; 0: off
  VocabReference reference = {};
  // Instead of chunk_rows: chunks that together hold each row once.
  std::vector<RowChunk> chunks = {};
  // The gradient that the loss will have, for a loss that a chunk's scores decide: head and hidden
  // states get theirs in forward then, while the chunk's logits are in memory, and backward only
  // checks that this was the gradient. Where it was another one, it computes the logits again.
  ChunkLoss loss = {};
};

// All [rows], float32 (float64 for float64 input).
struct TokenScores {
  at::Tensor log_probs;    // differentiable
  at::Tensor entropy;      // of the full next-token distribution, nats; no gradient
  at::Tensor entropy_top;  // the same over the `entropy_top` most likely tokens, renormalised;
                           // undefined unless asked for
  // With a reference only:
  at::Tensor kl;                   // KL(ref || policy) over the whole vocabulary; differentiable
  at::Tensor reference_log_probs;  // of the targets; no gradient
};

// log softmax(softcap(hidden . weight^T))[target] and its entropy, without a [rows, vocab] tensor:
// forward and backward work on a chunk of float32 logits at a time, plus as many of the
// reference's. Peak memory beyond inputs and gradients: one buffer of chunk rows * vocab (two with
// a reference) where there are kernels (fast_paths.h), else three (four). hidden: [rows, d];
// weight: [vocab, d], same dtype; targets: [rows] int64. Gradients to hidden and weight are exact.
// Throws c10::Error on shapes that do not match and, on the CPU, on a target outside the
// vocabulary: reading one from a device would wait for it.
TokenScores TokenLogProbs(const at::Tensor& hidden, const at::Tensor& weight,
                          const at::Tensor& targets, const VocabHeadOptions& options);

}  // namespace fpo::train
