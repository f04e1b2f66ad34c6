#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "train/sae/sparse_autoencoder.h"

namespace fpo::train {

// Running L0 (mean non-zeros per row) and FVU (share of variance the reconstruction misses). Sums
// are float64. Not thread-safe.
class SaeHealth {
 public:
  explicit SaeHealth(SparseAutoencoder sae);
  void Add(const at::Tensor& rows);  // [n, width]; no gradient is kept

  int64_t rows() const { return rows_; }
  double L0() const;   // 0 without rows
  double Fvu() const;  // 0 without a decoder or without variance

 private:
  SparseAutoencoder sae_;
  int64_t rows_ = 0;
  double nonzeros_ = 0;
  double residual_ = 0;  // sum |x - decode(encode(x))|^2
  double squared_ = 0;   // sum |x|^2
  at::Tensor sum_;       // sum x, [width] float64
};

}  // namespace fpo::train
