#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "train/model/gemma_config.h"
#include "train/reference/sequence_batch.h"

namespace fpo::train {

// Floating-point operations that training on these sequences needs: three times those of a forward
// (one multiply-add is two), with attention over the positions a token really sees and the head on
// log-prob rows only. Padding, recomputation, reference, SAE and optimiser are not counted.
double TrainingFlops(const GemmaConfig& config, const std::vector<Sequence>& sequences);
// A third of that: one forward.
double ForwardFlops(const GemmaConfig& config, const std::vector<Sequence>& sequences);

// Operations a second that a large matrix product of this dtype reaches on this device with the
// current threads: the 1 of `mfu`. Measured at the first call for a device and dtype, in some 50 ms
// on a CPU; later calls repeat that figure.
double MeasuredPeakFlops(at::Device device, at::ScalarType dtype);

}  // namespace fpo::train
