#include "worker/trainer/train/online_reference.h"

#include <ATen/core/grad_mode.h>

#include "common/status_macros.h"
#include "worker/trainer/train/response_scores.h"

namespace fpo::train {

absl::StatusOr<ReferenceValues> OnlineReference::Values(const std::vector<Sequence>& sequences) {
  const at::NoGradGuard no_grad;
  FPO_ASSIGN_OR_RETURN(const SequenceBatch batch, MakeSequenceBatch(sequences, model_.device()));
  ScoringOptions options;
  for (const LoadedSae& sae : saes_) options.taps.push_back(sae.tap);
  const ResponseScores scores = ScoreSequences(model_, batch, options);
  ReferenceValues values;
  values.logp = scores.logp;
  for (size_t s = 0; s < saes_.size(); ++s) {
    values.pooled.push_back(
        saes_[s].sae.PooledFeatures({scores.site_rows[s], batch.response_of_row, batch.sequences}));
  }
  return values;
}

}  // namespace fpo::train
