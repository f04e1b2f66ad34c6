#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>

#include "train/ops/vocab_head.h"
#include "train/ops/wide_type.h"

namespace fpo::train {

// Calls fn(first, block) for blocks of vocabulary rows, widened a block at a time: float32 logits
// without a float32 copy of a head of lower precision.
template <typename Fn>
void ForEachWidened(const at::Tensor& weight, const Fn& fn) {
  constexpr int64_t kWidenRows = 16384;
  const at::ScalarType wide = WideType(weight);
  if (weight.scalar_type() == wide) return fn(int64_t{0}, weight);
  for (int64_t first = 0; first < weight.size(0); first += kWidenRows) {
    const int64_t rows = std::min(kWidenRows, weight.size(0) - first);
    fn(first, weight.narrow(0, first, rows).to(wide));
  }
}

// The capped logits z' of a few rows, the only place where a vocabulary-wide tensor lives.
class VocabChunk {
 public:
  // hidden: [rows, d]; head: [vocab, d].
  VocabChunk(const at::Tensor& hidden, const at::Tensor& head, const VocabHeadOptions& options);

  const at::Tensor& hidden() const { return hidden_; }                // widened
  const at::Tensor& logits() const { return logits_; }                // [rows, vocab]
  at::Tensor LogNormalizer() const { return logits_.logsumexp(-1); }  // [rows]

  // Turns z' into log-probabilities in place.
  const at::Tensor& ToLogProbs(const at::Tensor& log_normalizer);

  // Multiplies dz'/dz = 1 - (z'/cap)^2 into `gradient` in place; consumes z'. A padded id has z' =
  // -inf and probability 0, so its gradient stays 0.
  void ApplySoftcapDerivative(at::Tensor* gradient);

 private:
  at::Tensor hidden_;
  double cap_;
  at::Tensor logits_;
};

}  // namespace fpo::train
