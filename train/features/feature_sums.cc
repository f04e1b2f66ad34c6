#include "train/features/feature_sums.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

namespace fpo::train {

FeatureSums::FeatureSums(int64_t features) {
  for (at::Tensor* sum : {&before_, &after_, &moved_, &squared_, &active_before_, &active_after_}) {
    *sum = at::zeros({features}, at::kDouble);
  }
}

void FeatureSums::Add(const at::Tensor& before, const at::Tensor& after) {
  TORCH_CHECK(before.sizes() == after.sizes() && before.size(1) == before_.size(0), "codes ",
              before.sizes(), " and ", after.sizes(), " of ", before_.size(0), " features");
  const at::NoGradGuard no_grad;
  responses_ += before.size(0);
  const at::Tensor change = (after - before).abs_();
  const auto add = [](const at::Tensor& sum, const at::Tensor& values) {
    sum.add_(values.sum(0, /*keepdim=*/false, at::kDouble).cpu());
  };
  add(before_, before);
  add(after_, after);
  add(moved_, change);
  add(squared_, change.square());
  add(active_before_, before.gt(0));
  add(active_after_, after.gt(0));
}

at::Tensor FeatureSums::Movement() const {
  return (after_ - before_).abs_().div_(static_cast<double>(std::max<int64_t>(1, responses_)));
}

FeatureSide FeatureSums::Side(int64_t feature) const {
  const double responses = static_cast<double>(std::max<int64_t>(1, responses_));
  const auto mean = [&](const at::Tensor& sum) { return sum[feature].item<double>() / responses; };
  FeatureSide side;
  side.before = mean(before_);
  side.after = mean(after_);
  side.moved = mean(moved_);
  const double all = squared_.sum().item<double>();
  side.share = all > 0 ? squared_[feature].item<double>() / all : 0;
  side.active_before = mean(active_before_);
  side.active_after = mean(active_after_);
  return side;
}

std::vector<int64_t> Largest(const at::Tensor& values, int64_t count) {
  const at::Tensor all = values.to(at::kCPU, at::kDouble).contiguous();
  const double* const value = all.const_data_ptr<double>();
  std::vector<int64_t> order(static_cast<size_t>(all.numel()));
  std::iota(order.begin(), order.end(), 0);
  const auto kept = std::min<int64_t>(count, all.numel());
  std::partial_sort(order.begin(), order.begin() + kept, order.end(), [&](int64_t a, int64_t b) {
    return value[a] != value[b] ? value[a] > value[b] : a < b;
  });
  order.resize(static_cast<size_t>(kept));
  while (!order.empty() && !(value[order.back()] > 0)) order.pop_back();
  return order;
}

}  // namespace fpo::train
