#include "train/parallel/flat_run.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace fpo::train {
namespace {

// fn(tensor, its first element, first value, count) for each tensor that [begin, end) meets.
// Returns how many elements there are from `begin` on.
template <typename Fn>
int64_t ForEachMet(const std::vector<at::Tensor>& tensors, int64_t begin, int64_t end,
                   const Fn& fn) {
  int64_t start = 0;
  for (const at::Tensor& tensor : tensors) {
    const int64_t low = std::max(begin, start), high = std::min(end, start + tensor.numel());
    if (low < high) fn(tensor, low - start, low - begin, high - low);
    start += tensor.numel();
  }
  return std::max<int64_t>(0, std::min(end, start) - begin);
}

}  // namespace

FlatRun::FlatRun(const std::vector<at::Tensor>& tensors) {
  for (const at::Tensor& tensor : tensors) tensors_.push_back(tensor.detach());
}

void FlatRun::Read(int64_t begin, const at::Tensor& values) const {
  const at::NoGradGuard no_grad;
  const int64_t count = values.numel();
  const int64_t met =
      ForEachMet(tensors_, begin, begin + count,
                 [&](const at::Tensor& tensor, int64_t first, int64_t at, int64_t n) {
                   values.narrow(0, at, n).copy_(tensor.reshape({-1}).narrow(0, first, n));
                 });
  if (met < count) values.narrow(0, met, count - met).zero_();
}

void FlatRun::Write(int64_t begin, const at::Tensor& values) const {
  const at::NoGradGuard no_grad;
  ForEachMet(tensors_, begin, begin + values.numel(),
             [&](const at::Tensor& tensor, int64_t first, int64_t at, int64_t n) {
               const at::Tensor flat = tensor.reshape({-1});  // a copy unless contiguous
               flat.narrow(0, first, n).copy_(values.narrow(0, at, n));
               if (!tensor.is_contiguous()) tensor.copy_(flat.view(tensor.sizes()));
             });
}

}  // namespace fpo::train
