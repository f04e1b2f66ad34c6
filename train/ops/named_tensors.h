#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace fpo::train {

// Tensors with their checkpoint names, in a fixed order.
using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;
// The same without an order, as read from files.
using TensorMap = std::map<std::string, at::Tensor>;

}  // namespace fpo::train
