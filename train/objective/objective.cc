#include "train/objective/objective.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/status_macros.h"
#include "train/data/context_id.h"
#include "train/loop/model_flops.h"
#include "train/objective/objective_parts.h"

namespace fpo::train {
namespace {

constexpr int64_t kEntropyTop = 100;

// The rows of the first or the last half of a batch's sequences; rows are in sequence order.
ResponseRows HalfRows(const SequenceBatch& batch, const at::Tensor& site_rows, bool last) {
  const int64_t half = batch.sequences / 2;
  const int64_t first_rows = batch.first_row[half];
  const int64_t begin = last ? first_rows : 0;
  const int64_t count = last ? batch.rows - first_rows : first_rows;
  std::vector<int64_t> sizes;
  for (int64_t i = last ? half : 0; i < (last ? batch.sequences : half); ++i) {
    const int64_t next = i + 1 < batch.sequences ? batch.first_row[i + 1] : batch.rows;
    sizes.push_back(next - batch.first_row[i]);
  }
  return {site_rows.narrow(0, begin, count),
          batch.response_of_row.narrow(0, begin, count) - (last ? half : 0), half,
          std::move(sizes)};
}

// Pairs [first, first + count) of a batch.
struct PairRange {
  int64_t first, count;
};

// What is known of all pairs of a batch without its vocabulary head; undefined: not needed.
struct KnownOfPairs {
  Method method;
  at::Tensor reference_logp, tokens;                       // [2 pairs], the chosen sides first
  at::Tensor chosen_divergence, rejected_divergence = {};  // [pairs]
};

// `sums`: of this range's responses alone.
PreferencePairs PairsOf(const PairRange& range, const SideSums& sums, const KnownOfPairs& known) {
  const int64_t all = known.tokens.size(0) / 2;
  PreferencePairs pairs;
  for (const int64_t side : {0, 1}) {
    const auto own = [&](const at::Tensor& x) {
      return x.defined() ? x.narrow(0, side * range.count, range.count) : x;
    };
    const auto of_batch = [&](const at::Tensor& x, int64_t begin) {
      return x.defined() ? x.narrow(0, begin + range.first, range.count) : x;
    };
    SideValues& values = side == 0 ? pairs.chosen : pairs.rejected;
    values.logp = own(sums.logp);
    values.reference_logp = sums.reference_logp.defined()
                                ? own(sums.reference_logp)
                                : of_batch(known.reference_logp, side * all);
    values.tokens = of_batch(known.tokens, side * all);
    values.divergence =
        NeedsKl(known.method)
            ? own(sums.kl)
            : of_batch(side == 0 ? known.chosen_divergence : known.rejected_divergence, 0);
  }
  return pairs;
}

}  // namespace

struct Objective::Distances {
  at::Tensor chosen, rejected;  // [n] float64
  at::Tensor relative;          // [n] float64
};

std::vector<Sequence> BothSides(const std::vector<TokenPairView>& pairs) {
  std::vector<Sequence> sequences;
  sequences.reserve(2 * pairs.size());
  for (const TokenPairView& pair : pairs) sequences.push_back({pair.prompt, pair.chosen});
  for (const TokenPairView& pair : pairs) sequences.push_back({pair.prompt, pair.rejected});
  return sequences;
}

Objective::Objective(const Gemma& model, ObjectiveOptions options, ReferenceSource* reference)
    : model_(model), options_(std::move(options)), reference_(reference) {
  for (LoadedSae& sae : options_.saes) sae.sae = sae.sae.WithoutDecoder();
}

bool Objective::CountsTokens() const {
  return method() == Method::kSft || SftWeight(options_.preference) > 0;
}

ScoringOptions Objective::Scoring() const {
  ScoringOptions scoring;
  const bool trains = at::GradMode::is_enabled();
  scoring.activation_checkpointing = options_.activation_checkpointing && trains;
  scoring.checkpointed_layers = trains ? options_.checkpointed_layers : 0;
  if (!trains) scoring.entropy_top = kEntropyTop;
  for (const LoadedSae& sae : options_.saes) scoring.taps.push_back(sae.tap);
  return scoring;
}

absl::StatusOr<ObjectivePart> Objective::ComputeSft(const std::vector<TokenPairView>& pairs,
                                                    const GlobalBatch& global) const {
  std::vector<Sequence> sequences;
  for (const TokenPairView& pair : pairs) sequences.push_back({pair.prompt, pair.chosen});
  FPO_ASSIGN_OR_RETURN(const SequenceBatch batch, MakeSequenceBatch(sequences, model_.device()));
  ScoringOptions scoring = Scoring();
  scoring.loss = SftUnitLoss(global);
  const ResponseScores scores = ScoreSequences(model_, batch, scoring);
  ObjectivePart part;
  HostValues host;
  part.loss = SftLoss(scores.logp, global.chosen_tokens);
  host.Add(part.loss, &part.loss_value);
  CountBatch(batch, scores, &part.metrics, &host);
  part.metrics[BatchMetrics::kModelFlops] =
      ComputedShare(model_) * TrainingFlops(model_.config(), batch, sequences);
  part.metrics[BatchMetrics::kPairs] = static_cast<double>(pairs.size());
  host.Add(Total(scores.logp), &part.metrics[BatchMetrics::kLogp]);
  if (!at::GradMode::is_enabled()) {
    part.pairs = PairValues(static_cast<int64_t>(pairs.size()));
    part.pairs.SetResponses(scores.logp, batch.tokens, &host);
  }
  host.Read();
  return part;
}

// With selection `reference` the columns are known before the policy's encoder runs, so only they
// are computed; with the others only they get a gradient.
at::Tensor Objective::SideDistance(size_t sae, const ResponseRows& rows,
                                   const at::Tensor& reference) const {
  const SparseAutoencoder& encoder = options_.saes[sae].sae;
  const FeatureConstraintOptions& constraint = options_.constraint;
  at::Tensor features = reference, known;
  const bool by_policy = constraint.selection != FeatureSelection::kReference;
  if (by_policy) {
    const at::NoGradGuard no_grad;
    features = encoder.PooledFeatures(rows);
  }
  const SelectedColumns selected = SelectColumns(features, reference, constraint);
  if (by_policy) known = features.gather(1, selected.columns);
  return ColumnDistance(encoder.PooledColumns(rows, selected.columns, known),
                        reference.gather(1, selected.columns), constraint.top_k, selected.scale);
}

Objective::Distances Objective::FeatureDistances(const SequenceBatch& batch, const HiddenRows& rows,
                                                 const ReferenceValues& reference) const {
  const int64_t half = batch.sequences / 2;
  const bool trains = at::GradMode::is_enabled() && options_.preference.alpha != 0;
  Distances sum;
  at::Tensor energy;  // [2n] |c_ref|^2 over all SAEs
  for (size_t s = 0; s < options_.saes.size(); ++s) {
    const at::Tensor& pooled = reference.pooled[s];
    at::Tensor sides[2];
    for (const bool last : {false, true}) {
      const at::AutoGradMode grad(trains && (last || !options_.preference.stop_gradient));
      sides[last] = SideDistance(s, HalfRows(batch, rows.sites[s], last),
                                 pooled.narrow(0, last ? half : 0, half))
                        .to(at::kDouble);
    }
    const at::Tensor squared = pooled.to(at::kDouble).square().sum(1);
    sum.chosen = s == 0 ? sides[0] : sum.chosen + sides[0];
    sum.rejected = s == 0 ? sides[1] : sum.rejected + sides[1];
    energy = s == 0 ? squared : energy + squared;
  }
  const at::Tensor floor = energy.clamp_min(1e-30);
  sum.relative = (sum.chosen.detach() / floor.narrow(0, 0, half) +
                  sum.rejected.detach() / floor.narrow(0, half, half)) /
                 2;
  return sum;
}

UnitLoss Objective::SftUnitLoss(const GlobalBatch& global) const {
  return {1, [tokens = global.chosen_tokens](int64_t, int64_t, const SideSums& sums) {
            return GradientsOf(
                sums, [&](const SideSums& leaves) { return SftLoss(leaves.logp, tokens); });
          }};
}

UnitLoss Objective::PairUnitLoss(const SequenceBatch& batch, const ReferenceValues& reference,
                                 const Distances& distances, const GlobalBatch& global) const {
  const auto detached = [](const at::Tensor& x) { return x.defined() ? x.detach() : x; };
  const KnownOfPairs known = {method(), reference.logp, batch.tokens, detached(distances.chosen),
                              detached(distances.rejected)};
  return {2, [this, known, global](int64_t first, int64_t count, const SideSums& sums) {
            return GradientsOf(sums, [&](const SideSums& leaves) {
              return PreferenceLoss(options_.preference, PairsOf({first, count}, leaves, known),
                                    global);
            });
          }};
}

// An evaluation with a live reference measures the KL for every method that compares responses; a
// training step only when its loss needs it.
ReferenceDetail Objective::WantedDetail() const {
  const bool measures =
      !at::GradMode::is_enabled() && reference_->has_distributions() && method() != Method::kKto;
  return NeedsKl(method()) || measures ? ReferenceDetail::kDistributions : ReferenceDetail::kSums;
}

absl::StatusOr<ReferenceValues> Objective::ReferenceOf(const std::vector<Sequence>& sequences,
                                                       double* seconds) const {
  const bool unused =
      reference_ == nullptr || (WantedDetail() == ReferenceDetail::kSums &&
                                !NeedsReference(method()) && !NeedsFeatures(options_.preference));
  if (unused) return ReferenceValues{};
  const absl::Time start = absl::Now();
  FPO_ASSIGN_OR_RETURN(ReferenceValues values, reference_->Values(sequences, WantedDetail()));
  *seconds = absl::ToDoubleSeconds(absl::Now() - start);
  return values;
}

absl::StatusOr<ObjectivePart> Objective::Compute(const std::vector<TokenPairView>& pairs,
                                                 const GlobalBatch& global) const {
  if (method() == Method::kSft) return ComputeSft(pairs, global);
  if (method() == Method::kKto) return ComputeKto(pairs, global);
  const std::vector<Sequence> sequences = BothSides(pairs);
  const int64_t half = static_cast<int64_t>(pairs.size());
  FPO_ASSIGN_OR_RETURN(const SequenceBatch batch, MakeSequenceBatch(sequences, model_.device()));
  ObjectivePart part;
  FPO_ASSIGN_OR_RETURN(ReferenceValues reference, ReferenceOf(sequences, &part.reference_seconds));
  ScoringOptions scoring = Scoring();
  scoring.reference = reference.distributions;
  const HiddenRows rows = ForwardRows(model_, batch, scoring);
  Distances distances;
  if (!options_.saes.empty()) distances = FeatureDistances(batch, rows, reference);
  scoring.loss = PairUnitLoss(batch, reference, distances, global);
  const ResponseScores scores = ScoreRows(model_, batch, rows, scoring);
  HostValues host;
  CountBatch(batch, scores, &part.metrics, &host);
  part.metrics[BatchMetrics::kModelFlops] =
      ComputedShare(model_) * TrainingFlops(model_.config(), batch, sequences);

  const PreferencePairs values =
      PairsOf({0, half}, {scores.logp, scores.kl, scores.reference_logp},
              {method(), reference.logp, batch.tokens, distances.chosen, distances.rejected});
  if (distances.relative.defined()) {
    host.Add(Total(distances.relative), &part.metrics[BatchMetrics::kRelative]);
    part.metrics[BatchMetrics::kRelativeParts] = 1;
  }
  if (scores.kl.defined()) MeasureKl(scores.kl.detach(), batch.tokens, &part.metrics, &host);
  part.loss = PreferenceLoss(options_.preference, values, global);
  host.Add(part.loss, &part.loss_value);
  MeasurePairs(options_.preference, values, &part.metrics.preference, &host);
  if (!at::GradMode::is_enabled()) {
    MeasureContracts(batch, rows, reference, &part.contracts);
    part.pairs = PairValues(half);
    part.pairs.SetPairs(options_.preference, values, scores.kl, &host);
  }
  host.Read();
  part.metrics[BatchMetrics::kDivergenceParts] = part.metrics.preference.has_divergence ? 1 : 0;
  part.metrics[BatchMetrics::kPairs] = static_cast<double>(half);
  return part;
}

void Objective::MeasureContracts(const SequenceBatch& batch, const HiddenRows& rows,
                                 const ReferenceValues& reference, ContractSums* sums) const {
  const std::vector<FeatureContract>& contracts = options_.contracts;
  if (contracts.empty()) return;
  *sums = ContractSums(contracts);
  HostValues host;
  for (size_t s = 0; s < options_.saes.size(); ++s) {
    const bool used = std::any_of(contracts.begin(), contracts.end(),
                                  [s](const FeatureContract& each) { return each.sae == s; });
    if (!used) continue;
    const ResponseRows all{rows.sites[s], batch.response_of_row, batch.sequences};
    sums->Set(contracts, {s, options_.saes[s].sae.PooledFeatures(all), reference.pooled[s]}, &host);
  }
  host.Read();
}

void Objective::MeasureKl(const at::Tensor& kl, const at::Tensor& tokens, BatchMetrics* metrics,
                          HostValues* values) const {
  const int64_t half = kl.size(0) / 2;
  const at::Tensor chosen = kl.narrow(0, 0, half), rejected = kl.narrow(0, half, half);
  BatchMetrics& m = *metrics;
  values->Add(Total(chosen), &m[BatchMetrics::kKlChosen]);
  values->Add(Total(rejected), &m[BatchMetrics::kKlRejected]);
  values->Add(Total(((rejected - chosen) * options_.preference.beta).abs()),
              &m[BatchMetrics::kKlMargin]);
  values->Add(Total(tokens.narrow(0, 0, half)), &m[BatchMetrics::kChosenTokens]);
  values->Add(Total(tokens.narrow(0, half, half)), &m[BatchMetrics::kRejectedTokens]);
  m[BatchMetrics::kKlParts] = 1;
}

}  // namespace fpo::train
