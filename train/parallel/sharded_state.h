#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "train/ops/named_tensors.h"

namespace fpo::train {

// Elements [begin, end) of a flattened tensor of an optimiser, which one rank keeps; all of them
// where nothing is sharded.
struct TensorRange {
  std::string name;            // of the whole tensor; a moment's is "PARAMETER.exp_avg" or the like
  std::vector<int64_t> shape;  // of the whole tensor
  int64_t begin = 0;
  int64_t end = 0;
  at::Tensor values;  // [end - begin], not a copy
};

// Reads elements [begin, end) of a flattened tensor by the tensor's name.
using RangeReader =
    std::function<absl::StatusOr<at::Tensor>(const std::string& name, int64_t begin, int64_t end)>;

// Of whole tensors, which must outlive it. InvalidArgument names a tensor that is missing or of a
// shape or dtype other than `like` has under this name.
RangeReader ReadRangesOf(const TensorMap& tensors, TensorMap like);

// The masters of an optimiser, by parameter, and its moments and step count: a checkpoint's.
struct OptimizerTensors {
  TensorMap masters;
  TensorMap state;
};

}  // namespace fpo::train
