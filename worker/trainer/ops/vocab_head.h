#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace fpo::train {

struct VocabHeadOptions {
  double softcap = 0;        // 0: none; otherwise logits become cap * tanh(logit / cap)
  int64_t chunk_rows = 256;  // rows of logits alive at a time
  int64_t valid_vocab =
      0;  // ids at or above it are padding and get probability 0; 0: the whole vocabulary
};

struct TokenScores {
  at::Tensor log_probs;  // [rows] float32 (float64 for float64 input), differentiable
  at::Tensor entropy;    // [rows] of the full next-token distribution, nats; no gradient
};

// log softmax(softcap(hidden . weight^T))[target] and its entropy, without a [rows, vocab] tensor:
// forward and backward work on `chunk_rows` rows of float32 logits. hidden: [rows, d]; weight:
// [vocab, d], same dtype; targets: [rows] int64. Gradients to hidden and weight are exact. Throws
// c10::Error on shapes that do not fit or a target outside the vocabulary.
TokenScores TokenLogProbs(const at::Tensor& hidden, const at::Tensor& weight,
                          const at::Tensor& targets, const VocabHeadOptions& options);

}  // namespace fpo::train
