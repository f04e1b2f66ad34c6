#include "train/loss/feature_constraint.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace fpo::train {
namespace {

// Masks the k largest entries of each row. at::topk does not specify which of equal entries it
// takes, so it is used only to find the k-th value; ties go to the lowest index.
at::Tensor TopMask(const at::Tensor& values, int64_t k) {
  const int64_t kept = std::min(k, values.size(1));
  const at::Tensor smallest = std::get<0>(at::topk(values, kept, 1)).amin(1, /*keepdim=*/true);
  const at::Tensor above = values.gt(smallest), equal = values.eq(smallest);
  const at::Tensor free = kept - above.sum(1, /*keepdim=*/true);
  return above.logical_or(equal.logical_and(equal.cumsum(1).le(free)));
}

at::Tensor SelectedFeatures(const at::Tensor& policy, const at::Tensor& reference,
                            const FeatureConstraintOptions& options) {
  switch (options.selection) {
    case FeatureSelection::kReference:
      return TopMask(reference, options.top_k);
    case FeatureSelection::kPolicy:
      return TopMask(policy, options.top_k);
    case FeatureSelection::kUnion:
      break;
  }
  return TopMask(policy, options.top_k).logical_or(TopMask(reference, options.top_k));
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
  const int64_t kept = std::min(k, values.size(1));
  return TopMask(values.detach(), k).nonzero().select(1, 1).reshape({values.size(0), kept});
}

at::Tensor FeatureDistance(const at::Tensor& policy, const at::Tensor& reference,
                           const FeatureConstraintOptions& options) {
  TORCH_CHECK(policy.dim() == 2 && policy.sizes() == reference.sizes() && options.top_k > 0,
              "FeatureDistance: policy ", policy.sizes(), ", reference ", reference.sizes(),
              ", top_k ", options.top_k);
  at::Tensor scale = SelectedFeatures(policy.detach(), reference.detach(), options).to(at::kDouble);
  if (options.weights.defined()) {
    TORCH_CHECK(options.weights.dim() == 1 && options.weights.size(0) == policy.size(1),
                "FeatureDistance: ", options.weights.sizes(), " weights for ", policy.size(1),
                " features");
    scale = scale * options.weights.to(at::kDouble);
  }
  const at::Tensor difference = policy.to(at::kDouble) - reference.detach();
  return (difference.square() * scale).sum(1) / static_cast<double>(options.top_k);
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
