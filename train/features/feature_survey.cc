#include "train/features/feature_survey.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/data/context_id.h"
#include "train/features/feature_sums.h"
#include "train/features/sae_fit_meter.h"
#include "train/features/span_finder.h"
#include "train/features/token_texts.h"
#include "train/objective/objective.h"
#include "train/reference/response_scores.h"
#include "train/sae/response_rows.h"

namespace fpo::train {
namespace {

// Values of a batch's pooled codes: 128 MiB each before and after, and as much for their changes.
constexpr int64_t kCodesMax = int64_t{1} << 25;
// Of the time: the first pass; then its spans take as long twice over at most, and the fits the
// rest.
constexpr double kFirstPass = 0.3;
// Of a batch of the fits: small, as the time is looked at between batches, and one is six passes.
constexpr int64_t kFitTokens = 4096;

// Pairs [first, first + count) and their responses: the chosen ones, then the rejected.
struct PairBatch {
  int64_t first = 0, count = 0;
  std::vector<TokenPairView> pairs;
  std::vector<Sequence> sequences;
};

class Surveyor {
 public:
  Surveyor(const SurveyModels& models, const TokenFile& tokens, const SurveyOptions& options)
      : models_(models), tokens_(tokens), options_(options), started_(options.now()) {
    for (const LoadedSae& sae : models.saes) {
      taps_.push_back(sae.tap);
      widest_ = std::max(widest_, sae.sae.features());
    }
  }

  absl::StatusOr<Survey> Run(int64_t count);

 private:
  struct Movement {
    FeatureSums chosen, rejected;
  };

  bool Exhausted(double share) const { return options_.now() - started_ > options_.limit * share; }
  absl::Status CheckStop() const {
    if (!options_.stop || !options_.stop()) return absl::OkStatus();
    return absl::CancelledError("stopped on request");
  }
  PairBatch BatchFrom(int64_t first, int64_t end, int64_t tokens) const;
  template <typename Fn>
  absl::Status ForEachBatch(const char* what, int64_t count, int64_t tokens, const Fn& fn) const;
  std::vector<at::Tensor> Rows(const Gemma& model, const SequenceBatch& batch) const;
  absl::StatusOr<std::vector<at::Tensor>> CodesBefore(const PairBatch& part,
                                                      const SequenceBatch& batch) const;
  std::vector<at::Tensor> Pooled(const std::vector<at::Tensor>& rows,
                                 const SequenceBatch& batch) const;
  absl::Status Measure(const PairBatch& part);
  void Rank(size_t s, SaeMovement* sae) const;
  MovedFeature FeatureOf(size_t s, int64_t index) const;
  SpanSource SourceOf(const PairBatch& part, int64_t response) const;
  absl::Status AddSpans(const PairBatch& part, const std::vector<at::Tensor>& columns,
                        std::vector<SpanFinder>* finders) const;
  absl::Status FindSpans(std::vector<SaeMovement>* saes) const;
  absl::Status Fit(std::vector<SaeMovement>* saes) const;

  const SurveyModels& models_;
  const TokenFile& tokens_;
  const SurveyOptions& options_;
  const absl::Time started_;
  std::vector<Tap> taps_;
  int64_t widest_ = 1;
  int64_t pairs_ = 0;  // used
  std::vector<Movement> movements_;
};

PairBatch Surveyor::BatchFrom(int64_t first, int64_t end, int64_t tokens) const {
  const int64_t sides = options_.both_sides ? 2 : 1;
  PairBatch batch;
  batch.first = first;
  int64_t longest = 0;
  for (int64_t i = first; i < end; ++i) {
    longest = std::max(longest, tokens_.LongestSequence(i));
    const int64_t responses = sides * (i - first + 1);
    const bool fits = longest * responses <= tokens && widest_ * responses <= kCodesMax;
    if (i > first && !fits) break;
    batch.pairs.push_back(tokens_.pair(i));
  }
  batch.count = static_cast<int64_t>(batch.pairs.size());
  if (options_.both_sides) {
    batch.sequences = BothSides(batch.pairs);
  } else {
    for (const TokenPairView& pair : batch.pairs) {
      batch.sequences.push_back({pair.prompt, pair.chosen});
    }
  }
  return batch;
}

// fn(batch) -> StatusOr<bool>: whether to go on.
template <typename Fn>
absl::Status Surveyor::ForEachBatch(const char* what, int64_t count, int64_t tokens,
                                    const Fn& fn) const {
  Work work(what, count, "pairs");
  for (int64_t first = 0; first < count;) {
    FPO_RETURN_IF_ERROR(CheckStop());
    const PairBatch batch = BatchFrom(first, count, tokens);
    FPO_ASSIGN_OR_RETURN(const bool more, fn(batch));
    work.Advance(batch.count);
    first += batch.count;
    if (!more) break;
  }
  return absl::OkStatus();
}

std::vector<at::Tensor> Surveyor::Rows(const Gemma& model, const SequenceBatch& batch) const {
  ScoringOptions scoring;
  scoring.taps = taps_;
  scoring.sites_only = true;
  return ForwardRows(model, batch, scoring).sites;
}

std::vector<at::Tensor> Surveyor::Pooled(const std::vector<at::Tensor>& rows,
                                         const SequenceBatch& batch) const {
  std::vector<at::Tensor> pooled;
  for (size_t s = 0; s < rows.size(); ++s) {
    pooled.push_back(
        models_.saes[s].sae.PooledFeatures({rows[s], batch.response_of_row, batch.sequences}));
  }
  return pooled;
}

absl::StatusOr<std::vector<at::Tensor>> Surveyor::CodesBefore(const PairBatch& part,
                                                              const SequenceBatch& batch) const {
  if (models_.records == nullptr) return Pooled(Rows(*models_.before, batch), batch);
  FPO_ASSIGN_OR_RETURN(ReferenceValues values,
                       models_.records->Values(part.sequences, ReferenceDetail::kSums));
  if (values.pooled.size() != models_.saes.size()) {
    return absl::InternalError("records without the codes of every SAE");
  }
  return std::move(values.pooled);
}

absl::Status Surveyor::Measure(const PairBatch& part) {
  FPO_ASSIGN_OR_RETURN(const SequenceBatch batch,
                       MakeSequenceBatch(part.sequences, models_.after.device()));
  FPO_ASSIGN_OR_RETURN(const std::vector<at::Tensor> before, CodesBefore(part, batch));
  const std::vector<at::Tensor> after = Pooled(Rows(models_.after, batch), batch);
  for (size_t s = 0; s < movements_.size(); ++s) {
    const auto side = [&](const at::Tensor& codes, int64_t first) {
      return codes.narrow(0, first, part.count);
    };
    movements_[s].chosen.Add(side(before[s], 0), side(after[s], 0));
    if (!options_.both_sides) continue;
    movements_[s].rejected.Add(side(before[s], part.count), side(after[s], part.count));
  }
  pairs_ += part.count;
  return absl::OkStatus();
}

MovedFeature Surveyor::FeatureOf(size_t s, int64_t index) const {
  MovedFeature feature;
  feature.index = index;
  feature.chosen = movements_[s].chosen.Side(index);
  if (options_.both_sides) feature.rejected = movements_[s].rejected.Side(index);
  return feature;
}

void Surveyor::Rank(size_t s, SaeMovement* sae) const {
  const at::Tensor chosen = movements_[s].chosen.Movement();
  const at::Tensor rejected = movements_[s].rejected.Movement();
  sae->chosen = Largest(chosen, options_.top);
  sae->rejected = Largest(rejected, options_.top);
  std::set<int64_t> moved(sae->chosen.begin(), sae->chosen.end());
  moved.insert(sae->rejected.begin(), sae->rejected.end());
  const at::Tensor either = at::maximum(chosen, rejected);
  const int64_t listed = static_cast<int64_t>(moved.size()) + options_.others;
  const std::vector<int64_t> order = Largest(either, listed + 1);
  std::set<int64_t> others;
  for (const int64_t index : order) {
    if (moved.count(index) != 0) continue;
    if (static_cast<int64_t>(others.size()) == options_.others) {
      sae->floor = either[index].item<double>();
      break;
    }
    others.insert(index);
  }
  for (const int64_t index : moved) sae->moved.push_back(FeatureOf(s, index));
  for (const int64_t index : others) sae->others.push_back(FeatureOf(s, index));
}

// A response of a batch without its codes.
SpanSource Surveyor::SourceOf(const PairBatch& part, int64_t response) const {
  SpanSource source;
  source.response = part.sequences[static_cast<size_t>(response)].response;
  source.place.pair = part.first + response % part.count;
  source.place.row = tokens_.pair(source.place.pair).row;
  source.place.id = tokens_.row_id(source.place.pair);
  source.place.side = response < part.count ? "chosen" : "rejected";
  return source;
}

absl::Status Surveyor::AddSpans(const PairBatch& part, const std::vector<at::Tensor>& columns,
                                std::vector<SpanFinder>* finders) const {
  FPO_ASSIGN_OR_RETURN(const SequenceBatch batch,
                       MakeSequenceBatch(part.sequences, models_.after.device()));
  const std::vector<at::Tensor> after = Rows(models_.after, batch);
  std::vector<at::Tensor> before(after.size());
  if (models_.before != nullptr) before = Rows(*models_.before, batch);
  for (size_t s = 0; s < finders->size(); ++s) {
    const auto codes = [&](const at::Tensor& rows) {
      if (!rows.defined()) return rows;
      return models_.saes[s].sae.EncodeColumns(rows, columns[s]).to(at::kCPU, at::kFloat);
    };
    const at::Tensor own_after = codes(after[s]), own_before = codes(before[s]);
    for (int64_t i = 0; i < batch.sequences; ++i) {
      SpanSource source = SourceOf(part, i);
      const int64_t first = batch.first_row[static_cast<size_t>(i)];
      const int64_t rows = ScoredTokens(source.response);
      source.after = own_after.narrow(0, first, rows);
      if (own_before.defined()) source.before = own_before.narrow(0, first, rows);
      (*finders)[s].Add(source);
    }
  }
  return absl::OkStatus();
}

absl::Status Surveyor::FindSpans(std::vector<SaeMovement>* saes) const {
  if (options_.spans == 0) return absl::OkStatus();
  std::vector<SpanFinder> finders;
  std::vector<at::Tensor> columns;
  for (const SaeMovement& sae : *saes) {
    std::vector<int64_t> own;
    for (const MovedFeature& feature : sae.moved) own.push_back(feature.index);
    finders.emplace_back(static_cast<int64_t>(own.size()), options_.spans, options_.around);
    columns.push_back(at::tensor(own, at::kLong).to(models_.after.device()));
  }
  const auto find = [&](const PairBatch& part) -> absl::StatusOr<bool> {
    FPO_RETURN_IF_ERROR(AddSpans(part, columns, &finders));
    return true;
  };
  FPO_RETURN_IF_ERROR(
      ForEachBatch("finding where features fire", pairs_, options_.tokens_per_batch, find));
  for (size_t s = 0; s < finders.size(); ++s) {
    std::vector<MovedFeature>& moved = (*saes)[s].moved;
    for (size_t f = 0; f < moved.size(); ++f) {
      for (const SpanFinder::Found& found : finders[s].Of(static_cast<int64_t>(f))) {
        moved[f].spans.push_back(found.span);
        moved[f].spans.back().tokens = TokenTexts(models_.tokenizer, found.ids);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status Surveyor::Fit(std::vector<SaeMovement>* saes) const {
  std::vector<SaeFitMeter> before, after;
  for (const LoadedSae& sae : models_.saes) {
    after.emplace_back(models_.after, sae);
    if (models_.before != nullptr) before.emplace_back(*models_.before, sae);
  }
  int64_t used = 0;
  const auto measure = [&](const PairBatch& part) -> absl::StatusOr<bool> {
    for (std::vector<SaeFitMeter>* meters : {&after, &before}) {
      for (SaeFitMeter& meter : *meters) FPO_RETURN_IF_ERROR(meter.Add(part.sequences));
    }
    used += part.count;
    return !Exhausted(1);
  };
  FPO_RETURN_IF_ERROR(ForEachBatch("measuring how well the SAEs fit",
                                   std::min(pairs_, options_.fit_pairs),
                                   std::min(options_.tokens_per_batch, kFitTokens), measure));
  for (size_t s = 0; s < saes->size(); ++s) {
    (*saes)[s].fit_pairs = used;
    (*saes)[s].after = after[s].Fit();
    if (models_.before != nullptr) (*saes)[s].before = before[s].Fit();
  }
  return absl::OkStatus();
}

absl::StatusOr<Survey> Surveyor::Run(int64_t count) {
  const at::NoGradGuard no_grad;
  for (const LoadedSae& sae : models_.saes) {
    movements_.push_back({FeatureSums(sae.sae.features()), FeatureSums(sae.sae.features())});
  }
  const auto measure = [&](const PairBatch& part) -> absl::StatusOr<bool> {
    FPO_RETURN_IF_ERROR(Measure(part));
    return !Exhausted(kFirstPass);
  };
  FPO_RETURN_IF_ERROR(
      ForEachBatch("comparing features", count, options_.tokens_per_batch, measure));
  Survey survey;
  survey.pairs = pairs_;
  for (size_t s = 0; s < models_.saes.size(); ++s) {
    const LoadedSae& loaded = models_.saes[s];
    SaeMovement& sae = survey.saes.emplace_back();
    sae.path = loaded.path;
    sae.digest = loaded.digest;
    sae.layer = loaded.tap.layer;
    sae.site = SiteName(loaded.tap.site);
    sae.features = loaded.sae.features();
    Rank(s, &sae);
  }
  FPO_RETURN_IF_ERROR(FindSpans(&survey.saes));
  FPO_RETURN_IF_ERROR(Fit(&survey.saes));
  return survey;
}

}  // namespace

absl::StatusOr<Survey> SurveyFeatures(const SurveyModels& models, const TokenFile& pairs,
                                      int64_t count, const SurveyOptions& options) {
  if (models.before == nullptr && models.records == nullptr) {
    return absl::FailedPreconditionError(
        "there is nothing to compare with: neither the reference model nor its records");
  }
  return Surveyor(models, pairs, options).Run(std::min(count, pairs.size()));
}

}  // namespace fpo::train
