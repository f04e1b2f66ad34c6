#include "train/loss/feature_constraint.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "train/ops/fast_paths.h"

namespace fpo::train {
namespace {

// The `kept` largest of values[0 .. count) in ascending order of their indices; ties go to the
// lowest index, and NaN counts as largest: it must not be overlooked.
template <typename T>
void TopOfRow(const T* values, int64_t count, int64_t kept, int64_t* out) {
  const auto of = [&](int64_t i) {
    return std::isnan(values[i]) ? std::numeric_limits<T>::infinity() : values[i];
  };
  std::vector<T> sorted(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) sorted[static_cast<size_t>(i)] = of(i);
  std::nth_element(sorted.begin(), sorted.begin() + (kept - 1), sorted.end(), std::greater<T>());
  const T smallest = sorted[static_cast<size_t>(kept - 1)];
  int64_t free = kept - std::count_if(sorted.begin(), sorted.begin() + kept,
                                      [&](T value) { return value > smallest; });
  for (int64_t i = 0; i < count; ++i) {
    const T value = of(i);
    if (value > smallest || (value == smallest && free-- > 0)) *out++ = i;
  }
}

at::Tensor TopOnHost(const at::Tensor& values, int64_t kept) {
  const at::Tensor top = at::empty({values.size(0), kept}, at::kLong);
  if (kept == 0) return top;
  const int64_t count = values.size(1);
  int64_t* const out = top.mutable_data_ptr<int64_t>();
  at::parallel_for(0, values.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      if (values.scalar_type() == at::kDouble) {
        TopOfRow(values.const_data_ptr<double>() + row * count, count, kept, out + row * kept);
      } else {
        TopOfRow(values.const_data_ptr<float>() + row * count, count, kept, out + row * kept);
      }
    }
  });
  return top;
}

// at::topk does not specify which of equal entries it takes, so it is used to find the k-th value,
// and to sort indices.
at::Tensor TopOnDevice(const at::Tensor& raw, int64_t kept) {
  const at::Tensor values = raw.masked_fill(raw.ne(raw), std::numeric_limits<double>::infinity());
  const at::Tensor smallest = std::get<0>(at::topk(values, kept, 1)).amin(1, /*keepdim=*/true);
  const at::Tensor above = values.gt(smallest), equal = values.eq(smallest);
  const at::Tensor free = kept - above.sum(1, /*keepdim=*/true);
  const at::Tensor chosen = above.logical_or(equal.logical_and(equal.cumsum(1).le(free)));
  const at::Tensor places = at::arange(values.size(1), 0, -1, values.options().dtype(at::kLong));
  const at::Tensor keys = std::get<0>(at::topk(chosen.to(at::kLong) * places, kept, 1));
  return values.size(1) - keys;
}

}  // namespace

absl::StatusOr<FeatureSelection> ParseFeatureSelection(absl::string_view name) {
  if (name == "union") return FeatureSelection::kUnion;
  if (name == "reference") return FeatureSelection::kReference;
  if (name == "policy") return FeatureSelection::kPolicy;
  return absl::InvalidArgumentError(
      absl::StrCat("feature_selection is \"", name, "\"; allowed are union, reference and policy"));
}

at::Tensor TopIndices(const at::Tensor& values, int64_t k) {
  TORCH_CHECK(values.dim() == 2 && k > 0, "TopIndices: values ", values.sizes(), ", k ", k);
  const at::NoGradGuard no_grad;
  const int64_t kept = std::min(k, values.size(1));
  if (!values.is_cpu() || !ActiveFastPaths().kernels) return TopOnDevice(values, kept);
  const bool narrow = values.scalar_type() != at::kDouble;
  return TopOnHost(values.to(narrow ? at::kFloat : at::kDouble).contiguous(), kept);
}

SelectedColumns SelectColumns(const at::Tensor& policy, const at::Tensor& reference,
                              const FeatureConstraintOptions& options) {
  TORCH_CHECK(policy.dim() == 2 && policy.sizes() == reference.sizes() && options.top_k > 0,
              "SelectColumns: policy ", policy.sizes(), ", reference ", reference.sizes(),
              ", top_k ", options.top_k);
  const at::NoGradGuard no_grad;
  SelectedColumns selected;
  const bool one = options.selection != FeatureSelection::kUnion;
  const bool by_policy = options.selection != FeatureSelection::kReference;
  selected.columns = TopIndices(by_policy ? policy : reference, options.top_k);
  selected.scale = at::ones(selected.columns.sizes(), policy.options().dtype(at::kDouble));
  if (!one) {
    const at::Tensor other = TopIndices(reference, options.top_k);
    const at::Tensor again = other.unsqueeze(2).eq(selected.columns.unsqueeze(1)).any(2);
    selected.columns = at::cat({selected.columns, other}, 1);
    selected.scale = at::cat({selected.scale, 1 - again.to(at::kDouble)}, 1);
  }
  if (options.weights.defined()) {
    TORCH_CHECK(options.weights.dim() == 1 && options.weights.size(0) == policy.size(1),
                "FeatureDistance: ", options.weights.sizes(), " weights for ", policy.size(1),
                " features");
    selected.scale.mul_(options.weights.to(at::kDouble).index({selected.columns}));
  }
  return selected;
}

at::Tensor FeatureDistance(const at::Tensor& policy, const at::Tensor& reference,
                           const FeatureConstraintOptions& options) {
  const SelectedColumns selected = SelectColumns(policy, reference, options);
  return ColumnDistance(policy.gather(1, selected.columns), reference.gather(1, selected.columns),
                        options.top_k, selected.scale);
}

at::Tensor ColumnDistance(const at::Tensor& policy, const at::Tensor& reference, int64_t top_k,
                          const at::Tensor& weights) {
  TORCH_CHECK(policy.dim() == 2 && policy.sizes() == reference.sizes() && top_k > 0,
              "ColumnDistance: policy ", policy.sizes(), ", reference ", reference.sizes(),
              ", top_k ", top_k);
  at::Tensor squared = (policy.to(at::kDouble) - reference.detach()).square();
  if (weights.defined()) squared = squared * weights.to(at::kDouble);
  return squared.sum(1) / static_cast<double>(top_k);
}

}  // namespace fpo::train
