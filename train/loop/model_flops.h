#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "train/model/gemma.h"
#include "train/model/gemma_config.h"
#include "train/reference/sequence_batch.h"

namespace fpo::train {

// Floating-point operations needed to train on these sequences: three times those of a forward pass
// (one multiply-add is two), with attention over visible positions and the head on log-prob rows
// only. Excludes padding, recomputation, reference, SAE and optimiser.
double TrainingFlops(const GemmaConfig& config, const std::vector<Sequence>& sequences);
// The same of a batch as it is computed: where prompts are shared (packed_layout.h), each once, and
// of the last block what is read.
double TrainingFlops(const GemmaConfig& config, const SequenceBatch& batch,
                     const std::vector<Sequence>& sequences);
// What of that an adapter's training needs: frozen weights have no gradient. Its own products, some
// percent, are not counted.
inline double ComputedShare(const Gemma& model) { return model.lora() == nullptr ? 1 : 2.0 / 3; }
// A third of that: one forward pass.
double ForwardFlops(const GemmaConfig& config, const std::vector<Sequence>& sequences);

// Operations per second that a large matrix product of this dtype reaches on this device with the
// current threads: the denominator of `gemm_fraction`. Measured at the first call for a device and
// dtype, in some 50 ms on a CPU, then cached.
double MeasuredPeakFlops(at::Device device, at::ScalarType dtype);

// The rate of a square product, of the largest of `sides` (ascending) that is worth its time: one
// that took long enough to be exact is the last, since a dtype without instructions for it is a
// hundred times slower. `seconds` computes and times a product of this side.
double MeasureRate(const std::vector<int64_t>& sides,
                   const std::function<double(int64_t side)>& seconds);

}  // namespace fpo::train
