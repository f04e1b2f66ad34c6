#include "train/sae/sae_health.h"

#include <ATen/ATen.h>

#include <utility>

namespace fpo::train {

SaeHealth::SaeHealth(SparseAutoencoder sae) : sae_(std::move(sae)) {}

void SaeHealth::Add(const at::Tensor& rows) {
  const at::NoGradGuard no_grad;
  if (rows.size(0) == 0) return;
  rows_ += rows.size(0);
  at::Tensor lost;  // of the rows of the blocks so far
  sae_.ForEachBlock(rows, [&](const SparseAutoencoder::Block& block) {
    nonzeros_ += block.codes.count_nonzero().item<double>();
    if (!sae_.has_decoder()) return;
    if (block.column == 0) {
      lost = rows.narrow(0, block.row, block.codes.size(0)).to(at::kDouble);
    }
    lost.sub_(sae_.Decode(block.codes, block.column));
    if (block.column + block.codes.size(1) == sae_.features()) {
      residual_ += lost.square_().sum().item<double>();
    }
  });
  if (!sae_.has_decoder()) return;
  const at::Tensor wide = rows.to(at::kDouble);
  squared_ += wide.square().sum().item<double>();
  const at::Tensor sum = wide.sum(0);
  sum_ = sum_.defined() ? sum_ + sum : sum;
}

double SaeHealth::L0() const { return rows_ == 0 ? 0 : nonzeros_ / static_cast<double>(rows_); }

double SaeHealth::Fvu() const {
  if (!sum_.defined()) return 0;
  // sum |x - mean|^2 = sum |x|^2 - |sum x|^2 / n
  const double variance =
      squared_ - sum_.square().sum().item<double>() / static_cast<double>(rows_);
  return variance > 0 ? residual_ / variance : 0;
}

}  // namespace fpo::train
