#include "train/findings/pair_features.h"

#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/reference/record_key.h"
#include "common/status_macros.h"
#include "train/data/context_id.h"

namespace fpo::train {
namespace {

using FeatureList = std::vector<std::pair<uint32_t, float>>;

// chosen - rejected of two ascending lists, behind `offset`; equal values leave no entry.
void AppendDifferences(const FeatureList& chosen, const FeatureList& rejected, int64_t offset,
                       SparseRow* out) {
  auto a = chosen.begin(), b = rejected.begin();
  while (a != chosen.end() || b != rejected.end()) {
    uint32_t index = 0;
    float value = 0;
    const bool has_a = a != chosen.end() && (b == rejected.end() || a->first <= b->first);
    const bool has_b = b != rejected.end() && (a == chosen.end() || b->first <= a->first);
    if (has_a) {
      index = a->first;
      value = a++->second;
    }
    if (has_b) {
      index = b->first;
      value -= b++->second;
    }
    if (value != 0) out->emplace_back(static_cast<uint32_t>(offset + index), value);
  }
}

}  // namespace

const char* PairFeatures::PlainName(int64_t plain) {
  constexpr const char* kPlainNames[] = {"length", "reference log-probability",
                                         "reference log-probability a token"};
  return kPlainNames[plain];
}

PairFeatures::PairFeatures(const RecordFile& records, const TokenFile& pairs,
                           std::vector<int64_t> widths)
    : records_(records),
      pairs_(pairs),
      widths_(std::move(widths)),
      features_(std::accumulate(widths_.begin(), widths_.end(), int64_t{0})) {}

PairFeatures::Place PairFeatures::PlaceOf(int64_t column) const {
  Place place{0, column};
  while (place.sae + 1 < widths_.size() && place.feature >= widths_[place.sae]) {
    place.feature -= widths_[place.sae++];
  }
  return place;
}

std::string PairFeatures::NameOf(int64_t column) const {
  if (column >= features_) return PlainName(column - features_);
  const Place place = PlaceOf(column);
  return absl::StrCat(widths_.size() > 1 ? absl::StrCat("sae ", place.sae, " ") : "", "feature ",
                      place.feature);
}

absl::StatusOr<Record> PairFeatures::Side(const TokenPairView& pair, bool chosen) const {
  const absl::Span<const int32_t> response = chosen ? pair.chosen : pair.rejected;
  FPO_ASSIGN_OR_RETURN(Record record, records_.Find(RecordKey(pair.prompt, response)));
  if (record.tokens == 0 || record.tokens != ScoredTokens(response)) {
    return absl::DataLossError(absl::StrCat("a record counts ", record.tokens,
                                            " response tokens, the response has ",
                                            ScoredTokens(response)));
  }
  if (widths_.empty()) return MarginOnly(record);
  if (record.features.size() != widths_.size()) {
    return absl::DataLossError(absl::StrCat("a record has ", record.features.size(),
                                            " feature lists, expected ", widths_.size()));
  }
  for (size_t sae = 0; sae < widths_.size(); ++sae) {
    if (record.features[sae].empty() || record.features[sae].back().first < widths_[sae]) continue;
    return absl::DataLossError(absl::StrCat("feature ", record.features[sae].back().first,
                                            " in a record of an SAE with ", widths_[sae]));
  }
  return record;
}

absl::StatusOr<PairFeatures::Row> PairFeatures::At(int64_t pair) const {
  const TokenPairView view = pairs_.pair(pair);
  FPO_ASSIGN_OR_RETURN(const Record chosen, Side(view, true));
  FPO_ASSIGN_OR_RETURN(const Record rejected, Side(view, false));
  Row row;
  int64_t offset = 0;
  for (size_t sae = 0; sae < widths_.size(); ++sae) {
    AppendDifferences(chosen.features[sae], rejected.features[sae], offset, &row.differences);
    offset += widths_[sae];
  }
  row.chosen_tokens = chosen.tokens;
  row.rejected_tokens = rejected.tokens;
  row.length = std::log(static_cast<double>(chosen.tokens) / rejected.tokens);
  row.logp = chosen.sum_logp - rejected.sum_logp;
  row.logp_per_token = chosen.sum_logp / chosen.tokens - rejected.sum_logp / rejected.tokens;
  const double plain[kPlainColumns] = {row.length, row.logp, row.logp_per_token};
  for (int64_t i = 0; i < kPlainColumns; ++i) {
    const auto value = static_cast<float>(plain[i]);
    if (value != 0) row.differences.emplace_back(static_cast<uint32_t>(offset + i), value);
  }
  return row;
}

}  // namespace fpo::train
