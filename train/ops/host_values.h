#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace fpo::train {

// Reads numbers from a device in one copy: each copy waits for all work before it. Not thread-safe.
class HostValues {
 public:
  // `scalar`: 0-dim, of a type whose values fit a double. Read stores it in `*out`.
  void Add(const at::Tensor& scalar, double* out);
  void Read();

 private:
  std::vector<at::Tensor> scalars_;  // float64
  std::vector<double*> outs_;
};

}  // namespace fpo::train
