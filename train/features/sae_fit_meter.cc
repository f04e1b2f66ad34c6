#include "train/features/sae_fit_meter.h"

#include <ATen/ATen.h>

#include <functional>
#include <utility>

#include "common/status_macros.h"
#include "train/reference/response_scores.h"

namespace fpo::train {
namespace {

// What a launch or a call of attention costs beside its tokens; see MakeSequenceBatch.
constexpr int64_t kPartTokens = 64;

// `change` of all but the first token of each sequence.
SiteEdit AfterTheFirst(const Tap& tap, std::function<at::Tensor(const at::Tensor& rows)> change) {
  return {
      tap, [change = std::move(change)](const at::Tensor& values) {
        at::Tensor edited = values.clone();
        const int64_t rest = values.size(1) - 1;
        if (rest == 0) return edited;
        const at::Tensor rows = values.narrow(1, 1, rest).flatten(0, 1);
        edited.narrow(1, 1, rest).copy_(change(rows).view({values.size(0), rest, values.size(2)}));
        return edited;
      }};
}

}  // namespace

SaeFitMeter::SaeFitMeter(const Gemma& model, const LoadedSae& sae)
    : model_(model), sae_(sae), health_(sae.sae) {}

double SaeFitMeter::Losses(const SequenceBatch& batch, const SiteEdit* edit,
                           at::Tensor* rows) const {
  ScoringOptions scoring;
  scoring.edit = edit;
  if (rows != nullptr) scoring.taps = {sae_.tap};
  const ResponseScores scores = ScoreSequences(model_, batch, scoring);
  if (rows != nullptr) *rows = scores.site_rows.front();
  return -scores.logp.sum().item<double>();
}

absl::Status SaeFitMeter::Add(const std::vector<Sequence>& sequences) {
  const at::NoGradGuard no_grad;
  FPO_ASSIGN_OR_RETURN(const SequenceBatch batch,
                       MakeSequenceBatch(sequences, model_.device(), kPartTokens));
  at::Tensor rows;
  clean_ += Losses(batch, nullptr, &rows);
  health_.Add(rows);
  tokens_ += static_cast<double>(batch.rows);
  const SparseAutoencoder& sae = sae_.sae;
  if (sae.has_decoder()) {
    const SiteEdit reconstruct =
        AfterTheFirst(sae_.tap, [&sae](const at::Tensor& own) { return sae.Reconstruct(own); });
    reconstructed_ += Losses(batch, &reconstruct, nullptr);
  }
  const SiteEdit zero =
      AfterTheFirst(sae_.tap, [](const at::Tensor& own) { return at::zeros_like(own); });
  zeroed_ += Losses(batch, &zero, nullptr);
  return absl::OkStatus();
}

SaeFit SaeFitMeter::Fit() const {
  SaeFit fit;
  fit.tokens = health_.rows();
  if (fit.tokens == 0) return fit;
  fit.l0 = health_.L0();
  fit.ce = clean_ / tokens_;
  fit.ce_zero = zeroed_ / tokens_;
  if (!sae_.sae.has_decoder()) return fit;
  fit.fvu = health_.Fvu();
  fit.ce_sae = reconstructed_ / tokens_;
  // Where zeros do no harm there is nothing to recover.
  if (*fit.ce_zero > *fit.ce) {
    fit.loss_recovered = (*fit.ce_zero - *fit.ce_sae) / (*fit.ce_zero - *fit.ce);
  }
  return fit;
}

}  // namespace fpo::train
