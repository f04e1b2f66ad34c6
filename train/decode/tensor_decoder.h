#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>

#include "train/decode/decoder.h"
#include "train/ops/rope.h"

namespace fpo::train {

// The decoder on any device, by LibTorch's operators and those of train/ops, in the weights' dtype.
class TensorDecoder final : public Decoder {
 public:
  explicit TensorDecoder(const Gemma& model);

 private:
  // Where a step's tokens lie: inputs one behind the other.
  struct Place {
    CachedSequence* sequence;
    int64_t first;     // row of the first token
    int64_t count;     // tokens
    int64_t position;  // of the first token
  };

  at::Tensor Run(absl::Span<const StepInput> inputs) override;
  at::Tensor Attention(int64_t index, const at::Tensor& x, const std::vector<Place>& places) const;
  at::Tensor Attend(int64_t index, const at::Tensor& q, const Place& place) const;
  at::Tensor Norm(const at::Tensor& x, const std::string& name) const;
  const at::Tensor& Weight(int64_t index, const std::string& name) const;
  void PrepareAngles(const at::Tensor& positions);

  const Gemma model_;
  std::map<std::string, at::Tensor> weights_;
  RopeTable global_, local_;  // of a step's tokens
};

}  // namespace fpo::train
