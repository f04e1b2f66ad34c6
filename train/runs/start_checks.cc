#include "train/runs/start_checks.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/events/exit_status.h"
#include "train/runs/data_plan.h"
#include "train/sae/sae_health.h"

namespace fpo::train {
namespace {

// Float32 differs by summation order only. In bfloat16 the batch's shape changes the rounding of
// every activation; a foreign model is off by nats a token.
struct Tolerance {
  double logp;            // nats
  double logp_per_token;  // nats
  double feature;         // relative to the response's largest pooled feature
};

Tolerance ToleranceOf(const std::string& dtype) {
  if (dtype == "float32") return {1e-3, 5e-5, 2e-3};
  return {0.5, 0.02, 0.15};
}

absl::Status Foreign(const std::string& what, double live, double stored) {
  return FailWith(ExitCode::kForeignCache,
                  absl::StrFormat("this cache does not belong to this model: %s is %.6g computed "
                                  "now and %.6g in the records; score the reference again",
                                  what, live, stored));
}

// One value a response: computed now, stored, and how far apart they may be.
struct LogpComparison {
  at::Tensor live, stored, allowed;  // [responses] float64
};

absl::Status CompareLogps(const LogpComparison& logps, ProbeResult* result) {
  for (int64_t i = 0; i < logps.live.size(0); ++i) {
    const double live = logps.live[i].item<double>();
    const double stored = logps.stored[i].item<double>();
    const double error = std::abs(live - stored);
    result->logp_error_max = std::max(result->logp_error_max, error);
    if (!(error <= logps.allowed[i].item<double>())) {
      return Foreign("a response's log-probability", live, stored);
    }
  }
  return absl::OkStatus();
}

// Top-m records hold only the largest features: those are compared.
absl::Status CompareFeatures(const at::Tensor& live, const at::Tensor& stored,
                             const Tolerance& tolerance, ProbeResult* result) {
  for (int64_t i = 0; i < live.size(0); ++i) {
    const at::Tensor kept = stored[i].nonzero().flatten();
    if (kept.numel() == 0) continue;
    const at::Tensor a = live[i].index_select(0, kept);
    const at::Tensor b = stored[i].index_select(0, kept);
    const double scale = b.abs().max().item<double>();
    const int64_t worst = (a - b).abs().argmax().item<int64_t>();
    const double error = std::abs(a[worst].item<double>() - b[worst].item<double>()) / scale;
    result->feature_error_max = std::max(result->feature_error_max, error);
    if (!(error <= tolerance.feature)) {
      return Foreign(absl::StrCat("pooled feature ", kept[worst].item<int64_t>()),
                     a[worst].item<double>(), b[worst].item<double>());
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LivePairs> ScoreLive(const RunInputs& inputs,
                                    const std::vector<TokenPairView>& pairs) {
  const at::NoGradGuard no_grad;
  LivePairs live;
  live.sequences = BothSides(pairs);
  const Gemma& model = inputs.policy.model;
  FPO_ASSIGN_OR_RETURN(live.batch, MakeSequenceBatch(live.sequences, model.device()));
  ScoringOptions scoring;
  for (const LoadedSae& sae : inputs.objective.saes) scoring.taps.push_back(sae.tap);
  live.scores = ScoreSequences(model, live.batch, scoring);
  return live;
}

absl::StatusOr<ProbeResult> ProbeReference(const RunInputs& inputs, const LivePairs& live,
                                           const std::string& dtype) {
  const at::NoGradGuard no_grad;
  FPO_ASSIGN_OR_RETURN(const ReferenceValues stored,
                       inputs.reference->Values(live.sequences, ReferenceDetail::kSums));
  const Tolerance tolerance = ToleranceOf(dtype);
  ProbeResult result;
  result.responses = live.batch.sequences;
  const at::Tensor allowed = tolerance.logp + tolerance.logp_per_token * live.batch.tokens;
  FPO_RETURN_IF_ERROR(
      CompareLogps({live.scores.logp.cpu(), stored.logp.cpu(), allowed.cpu()}, &result));
  const std::vector<LoadedSae>& saes = inputs.objective.saes;
  for (size_t s = 0; s < saes.size(); ++s) {
    const ResponseRows rows{live.scores.site_rows[s], live.batch.response_of_row,
                            live.batch.sequences};
    const at::Tensor pooled = saes[s].sae.PooledFeatures(rows);
    FPO_RETURN_IF_ERROR(CompareFeatures(pooled.cpu(), stored.pooled[s].cpu(), tolerance, &result));
  }
  return result;
}

absl::StatusOr<std::vector<double>> ReferenceProbe(const RunInputs& inputs,
                                                   const std::vector<TokenPairView>& pairs) {
  std::vector<double> probe;
  if (pairs.empty()) return probe;
  FPO_ASSIGN_OR_RETURN(const ReferenceValues values,
                       inputs.reference->Values(BothSides(pairs), ReferenceDetail::kSums));
  const at::Tensor logp = values.logp.cpu();
  probe.assign(logp.data_ptr<double>(), logp.data_ptr<double>() + logp.numel());
  return probe;
}

absl::Status CompareProbes(const std::vector<double>& before, const std::vector<double>& now,
                           const std::string& dtype) {
  const Tolerance tolerance = ToleranceOf(dtype);
  for (size_t i = 0; i < std::min(before.size(), now.size()); ++i) {
    // A token of text costs a model a nat or more, so |log-prob| approximates the number of tokens.
    const double allowed = tolerance.logp + tolerance.logp_per_token * std::abs(before[i]);
    if (std::abs(before[i] - now[i]) <= allowed) continue;
    return FailWith(
        ExitCode::kForeignCache,
        absl::StrFormat("this cache does not belong to this run: a response's reference "
                        "log-probability was %.6g when the run started and is %.6g in "
                        "the records now; score the reference again",
                        before[i], now[i]));
  }
  return absl::OkStatus();
}

std::vector<SaeCheck> CheckSaes(const RunInputs& inputs, const LivePairs& live) {
  const at::NoGradGuard no_grad;
  std::vector<SaeCheck> checks;
  for (size_t s = 0; s < inputs.objective.saes.size(); ++s) {
    const LoadedSae& sae = inputs.objective.saes[s];
    if (sae.sae.is_identity()) continue;
    SaeHealth health(sae.sae);
    health.Add(live.scores.site_rows[s]);
    SaeCheck check;
    check.l0 = health.L0();
    check.fvu = sae.sae.has_decoder() ? health.Fvu() : 0;
    const double target = sae.l0.value_or(0);
    const bool off = target > 0 && (check.l0 > 2 * target || check.l0 < target / 2);
    if (check.l0 == 0 || check.fvu > 1 || off) {
      check.warning = absl::StrFormat(
          "the SAE %s does not seem to fit this model: %.1f active features per token%s, %.0f %% "
          "of "
          "the variance unexplained; check its layer, site and which model it was trained on",
          sae.path, check.l0, target > 0 ? absl::StrFormat(" (it was trained for %g)", target) : "",
          100 * check.fvu);
    }
    checks.push_back(std::move(check));
  }
  return checks;
}

absl::Status CheckStart(const JobConfig& job, const RunInputs& inputs, const Batcher& batcher,
                        const std::function<void(const std::string&)>& warn) {
  const bool probes =
      job.reference.probe_pairs > 0 && inputs.use.source == "records" && inputs.PolicyIsReference();
  const int64_t count =
      std::max(probes ? ProbedPairs(job) : 0, inputs.objective.saes.empty() ? 0 : kSaeCheckPairs);
  if (count == 0) return absl::OkStatus();
  const Work work({"", "checking the reference and the SAE on the first pairs", 0, 0, ""});
  FPO_ASSIGN_OR_RETURN(const LivePairs live,
                       ScoreLive(inputs, FirstPairs(batcher, inputs.train, count)));
  for (const SaeCheck& check : CheckSaes(inputs, live)) {
    if (!check.warning.empty()) warn(check.warning);
  }
  return probes ? ProbeReference(inputs, live, job.model.dtype).status() : absl::OkStatus();
}

void FreeDecoders(std::vector<LoadedSae>* saes) {
  for (LoadedSae& sae : *saes) sae.sae = sae.sae.WithoutDecoder();
}

}  // namespace fpo::train
