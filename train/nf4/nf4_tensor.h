#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace fpo::train {

// A matrix in NF4 (Dettmers et al., arXiv 2305.14314): one of 16 values for each weight, times the
// largest magnitude of its block. Bytes are those of bitsandbytes. With double quantisation the
// magnitudes are 8-bit codes themselves:
//   absmax[i] = nested_map[absmax_codes[i]] * nested_absmax[i / nested_block] + offset.
struct Nf4Tensor {
  std::vector<int64_t> sizes;  // [out, in]
  int64_t block = 64;          // consecutive weights
  int64_t nested_block = 256;
  at::Tensor codes;   // uint8 [ceil(weights / 2), 1]: of two weights the first is in the high half
  at::Tensor absmax;  // float32 [blocks]; with double quantisation uint8
  at::Tensor nested_absmax;  // float32; undefined: none
  at::Tensor nested_map;     // float32 [256]
  float offset = 0;

  bool nested() const { return nested_absmax.defined(); }
  int64_t Weights() const;
  int64_t Bytes() const;  // of all tensors
  Nf4Tensor To(at::Device device) const;
};

// By the canonical names of the weights.
using Nf4Weights = std::map<std::string, Nf4Tensor>;

// Of the 8-bit codes of magnitudes: bitsandbytes' signed dynamic map, [256] on the CPU.
at::Tensor DynamicMap();

// On the CPU, of a dense matrix of any floating type: each code is the nearest value. The same bits
// for any number of threads and any processor; `offset`, the mean of the magnitudes, is summed in
// float64 (bitsandbytes': in an order that is LibTorch's, the last bit may differ).
// InvalidArgument when a weight is not finite.
absl::StatusOr<Nf4Tensor> QuantiseNf4(const at::Tensor& weight, bool nested);

// Writes the weights to `into`, contiguous, float32, bfloat16 or float64, on the device of the
// codes: value * absmax in float32, rounded once.
void DequantiseNf4(const Nf4Tensor& packed, const at::Tensor& into);
at::Tensor DequantisedNf4(const Nf4Tensor& packed, at::ScalarType type);

}  // namespace fpo::train
