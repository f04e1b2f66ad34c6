#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace fpo::train {

// Reads numbers from a device in one copy: each copy waits for all work before it. Not thread-safe.
class HostValues {
 public:
  // `values`: any shape, of a type whose values fit a double. Read stores them from `*out` on, in
  // order.
  void Add(const at::Tensor& values, double* out);
  void Read();

 private:
  std::vector<at::Tensor> values_;  // [n] float64 each
  std::vector<double*> outs_;
};

}  // namespace fpo::train
