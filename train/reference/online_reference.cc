#include "train/reference/online_reference.h"

#include <ATen/core/grad_mode.h>

#include "common/status_macros.h"
#include "train/reference/response_scores.h"

namespace fpo::train {

absl::StatusOr<ReferenceValues> OnlineReference::Values(const std::vector<Sequence>& sequences,
                                                        ReferenceDetail detail) {
  const at::NoGradGuard no_grad;
  FPO_ASSIGN_OR_RETURN(const SequenceBatch batch, MakeSequenceBatch(sequences, model_.device()));
  ScoringOptions options;
  for (const LoadedSae& sae : saes_) options.taps.push_back(sae.tap);
  const HiddenRows rows = ForwardRows(model_, batch, options);
  ReferenceValues values;
  if (detail == ReferenceDetail::kDistributions) {
    values.distributions = {rows.hidden, model_.head(), model_.config().final_softcap.value_or(0)};
  } else {
    values.logp = ScoreRows(model_, batch, rows, options).logp;
  }
  for (size_t s = 0; s < saes_.size(); ++s) {
    values.pooled.push_back(
        saes_[s].sae.PooledFeatures({rows.sites[s], batch.response_of_row, batch.sequences}));
  }
  return values;
}

}  // namespace fpo::train
