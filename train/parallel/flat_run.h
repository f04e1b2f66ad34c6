#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace fpo::train {

// Tensors of one dtype, seen as one run of elements.
class FlatRun {
 public:
  explicit FlatRun(const std::vector<at::Tensor>& tensors);

  // Reads the elements from `begin` on into `values` [n]; those past the end are 0.
  void Read(int64_t begin, const at::Tensor& values) const;
  // Writes `values` [n] over the elements from `begin` on; those past the end are dropped.
  void Write(int64_t begin, const at::Tensor& values) const;

 private:
  std::vector<at::Tensor> tensors_;
};

}  // namespace fpo::train
