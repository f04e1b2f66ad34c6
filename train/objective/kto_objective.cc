#include <ATen/ATen.h>

#include "common/status_macros.h"
#include "train/loop/model_flops.h"
#include "train/objective/objective.h"
#include "train/objective/objective_parts.h"

namespace fpo::train {
namespace {

std::vector<Sequence> Labelled(const std::vector<TokenPairView>& examples) {
  std::vector<Sequence> sequences;
  for (const TokenPairView& each : examples) sequences.push_back({each.prompt, each.chosen});
  return sequences;
}

std::vector<Sequence> Mismatched(const std::vector<TokenPairView>& examples) {
  std::vector<Sequence> sequences;
  for (const TokenPairView& each : examples) sequences.push_back({each.prompt, each.rejected});
  return sequences;
}

at::Tensor Labels(const std::vector<TokenPairView>& examples, at::Device device) {
  std::vector<uint8_t> labels;
  for (const TokenPairView& each : examples) labels.push_back(each.desirable ? 1 : 0);
  return at::tensor(labels, at::kByte).to(at::kBool).to(device, /*non_blocking=*/true);
}

KtoOptions OptionsOf(const PreferenceOptions& options) {
  return {options.beta, options.desirable_weight, options.undesirable_weight};
}

}  // namespace

absl::StatusOr<double> Objective::MismatchedLogRatios(
    const std::vector<TokenPairView>& examples) const {
  const at::NoGradGuard no_grad;
  const std::vector<Sequence> sequences = Mismatched(examples);
  FPO_ASSIGN_OR_RETURN(const SequenceBatch batch, MakeSequenceBatch(sequences, model_.device()));
  double seconds = 0;
  FPO_ASSIGN_OR_RETURN(const ReferenceValues reference, ReferenceOf(sequences, &seconds));
  const ResponseScores scores = ScoreSequences(model_, batch, ScoringOptions{});
  double sum = 0;
  HostValues host;
  host.Add(Total(scores.logp - reference.logp), &sum);
  host.Read();
  return sum;
}

absl::StatusOr<ObjectivePart> Objective::ComputeKto(const std::vector<TokenPairView>& examples,
                                                    const GlobalBatch& global) const {
  const std::vector<Sequence> sequences = Labelled(examples);
  FPO_ASSIGN_OR_RETURN(const SequenceBatch batch, MakeSequenceBatch(sequences, model_.device()));
  ObjectivePart part;
  FPO_ASSIGN_OR_RETURN(const ReferenceValues reference,
                       ReferenceOf(sequences, &part.reference_seconds));
  const KtoOptions options = OptionsOf(options_.preference);
  const at::Tensor labels = Labels(examples, model_.device());
  const auto loss = [&](const KtoExamples& some) {
    return KtoLosses(options, some, global.kl).sum() / global.pairs;
  };
  ScoringOptions scoring = Scoring();
  scoring.loss = {1, [&](int64_t first, int64_t count, const SideSums& sums) {
                    return GradientsOf(sums, [&](const SideSums& leaves) {
                      return loss({leaves.logp, reference.logp.narrow(0, first, count),
                                   labels.narrow(0, first, count)});
                    });
                  }};
  const ResponseScores scores = ScoreSequences(model_, batch, scoring);
  const KtoExamples all = {scores.logp, reference.logp, labels};
  HostValues host;
  part.loss = loss(all);
  host.Add(part.loss, &part.loss_value);
  CountBatch(batch, scores, &part.metrics, &host);
  part.metrics[BatchMetrics::kModelFlops] =
      ComputedShare(model_) * TrainingFlops(model_.config(), batch, sequences) +
      ForwardFlops(model_.config(), Mismatched(examples));
  const auto count = static_cast<double>(examples.size());
  part.metrics[BatchMetrics::kPairs] = count;
  part.metrics[BatchMetrics::kKtoKl] = global.kl * count;
  MeasureExamples({options, all, global.kl}, &part.metrics, &host);
  if (!at::GradMode::is_enabled()) {
    part.pairs = PairValues(static_cast<int64_t>(examples.size()));
    part.pairs.SetExamples({options, all, global.kl}, batch.tokens, &host);
  }
  host.Read();
  return part;
}

}  // namespace fpo::train
