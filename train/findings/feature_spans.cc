#include "train/findings/feature_spans.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "common/status_macros.h"
#include "train/data/context_id.h"
#include "train/reference/response_scores.h"

namespace fpo::train {

StrongTokens StrongestTokens(absl::Span<const float> activations) {
  const auto greatest = std::max_element(activations.begin(), activations.end());
  const int64_t at = greatest - activations.begin();
  StrongTokens strong{at, at, *greatest};
  const auto is_strong = [&](int64_t i) {
    return activations[static_cast<size_t>(i)] > 0 &&
           2 * activations[static_cast<size_t>(i)] >= *greatest;
  };
  while (strong.first > 0 && is_strong(strong.first - 1)) --strong.first;
  while (strong.last + 1 < static_cast<int64_t>(activations.size()) && is_strong(strong.last + 1)) {
    ++strong.last;
  }
  return strong;
}

absl::StatusOr<std::vector<float>> TokenActivations(const Gemma& model, const LoadedSae& sae,
                                                    int64_t feature, const Sequence& sequence) {
  const at::NoGradGuard no_grad;
  FPO_ASSIGN_OR_RETURN(const SequenceBatch batch, MakeSequenceBatch({sequence}, model.device()));
  ScoringOptions options;
  options.taps = {sae.tap};
  const at::Tensor rows = ForwardRows(model, batch, options).sites.at(0);
  const at::Tensor codes = sae.sae.Encode(rows).select(1, feature).to(at::kFloat).cpu();
  const at::Tensor column = codes.contiguous();
  std::vector<float> activations(sequence.response.size(), 0);
  int64_t row = 0;
  for (size_t i = 0; i < activations.size() && row < column.numel(); ++i) {
    if (!IsContextId(sequence.response[i])) activations[i] = column.data_ptr<float>()[row++];
  }
  return activations;
}

}  // namespace fpo::train
