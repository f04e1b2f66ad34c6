#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>

#include "train/cuda/kernels/cuda_table.h"
#include "train/kernels/kernel_set.h"
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

// The capped logits z' of a few rows, the only place where a vocabulary-wide tensor lives. Copies
// share the logits.
class VocabChunk {
 public:
  // The gradient of a loss to z', of each row; `target` and `log_normalizer` are [rows].
  struct Gradient {
    at::Tensor target, log_normalizer;
    at::Tensor s;      // dL/d log-prob; undefined: 0
    at::Tensor kappa;  // dL/d KL; undefined: 0
  };
  // The reference's side of it; its logits are consumed.
  struct ReferenceSide {
    VocabChunk* chunk;
    at::Tensor log_normalizer;
  };

  // hidden: [rows, d]; head: [vocab, d].
  VocabChunk(const at::Tensor& hidden, const at::Tensor& head, const VocabHeadOptions& options);

  const at::Tensor& hidden() const { return hidden_; }  // widened, except for CUDA kernels
  const at::Tensor& logits() const { return logits_; }  // [rows, vocab]
  at::Tensor LogNormalizer() const;                     // [rows]
  at::Tensor LogProbs(const at::Tensor& target, const at::Tensor& log_normalizer) const;
  // Entropies of the rows, [rows]; only where the kernels have measured them on the way.
  bool measured() const { return entropy_.defined(); }
  const at::Tensor& entropy() const { return entropy_; }
  // KL(reference || this), [rows]; both measured.
  at::Tensor Kl(const VocabChunk& reference) const;
  VocabChunk Clone() const;

  // Turns z' into log-probabilities in place.
  const at::Tensor& ToLogProbs(const at::Tensor& log_normalizer);

  // Turns z' into dL/dz = s (1[v = target] - p) + kappa (p - p_ref), times the softcap's
  // derivative, [rows, vocab]. `reference` null: p_ref is left out. In hidden()'s type, over the
  // logits, where there are CUDA kernels.
  at::Tensor ToGradient(const Gradient& gradient, const ReferenceSide* reference);

  // Multiplies dz'/dz = 1 - (z'/cap)^2 into `gradient` in place; consumes z'. A padded id has z' =
  // -inf and probability 0, so its gradient stays 0.
  void ApplySoftcapDerivative(at::Tensor* gradient);

 private:
  bool IsMeasured() const { return kernels_ != nullptr || cuda_ != nullptr; }
  void Measure();
  void GradientByKernels(const Gradient& gradient, const ReferenceSide* reference);

  const CudaTable* cuda_;
  at::Tensor hidden_;
  double cap_;
  int64_t valid_;  // ids that are not padding
  const KernelSet* kernels_;
  at::Tensor logits_;
  at::Tensor log_normalizer_, entropy_;  // undefined without kernels
};

}  // namespace fpo::train
