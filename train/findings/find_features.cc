#include "train/findings/find_features.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <queue>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/data/context_id.h"
#include "train/findings/feature_spans.h"

namespace fpo::train {
namespace {

constexpr int64_t kTestedPairsMin = 10;  // that a tested feature differs in
constexpr double kSeparates = 0.05;      // false discovery rate
constexpr size_t kFeaturesListed = 200, kFeaturesShown = 12, kSpansShown = 3;
constexpr int64_t kContextTokens = 12;

// The pairs that differ most in a column, in the direction of its effect.
class ExtremePairs {
 public:
  void Add(double difference, int64_t pair) {
    if (difference <= 0) return;
    heap_.emplace(difference, -pair);  // of equals the first pair stays
    if (heap_.size() > kSpansShown) heap_.pop();
  }
  std::vector<int64_t> Take() {
    std::vector<int64_t> pairs;
    for (; !heap_.empty(); heap_.pop()) pairs.push_back(-heap_.top().second);
    std::reverse(pairs.begin(), pairs.end());
    return pairs;
  }

 private:
  using Entry = std::pair<double, int64_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> heap_;
};

absl::StatusOr<std::vector<FeatureTest>> TestColumns(const RecordedPairs& pairs) {
  FeatureTests tests(pairs.features.columns());
  Work work("comparing features", pairs.train.size(), "pairs");
  for (int64_t i = 0; i < pairs.train.size(); ++i) {
    FPO_ASSIGN_OR_RETURN(const PairFeatures::Row row, pairs.features.At(i));
    tests.Add(row.differences, row.length);
    work.Advance();
  }
  return tests.Results(kTestedPairsMin);
}

bool Separates(const FeatureTest& test) {
  return test.q < kSeparates || test.q_at_equal_length < kSeparates;
}

// What separates most at equal length comes first.
void SortTests(std::vector<FeatureTest>* tests) {
  const auto key = [](const FeatureTest& test) {
    return std::make_tuple(test.q_at_equal_length >= kSeparates,
                           -std::abs(test.effect_at_equal_length), test.column);
  };
  std::sort(tests->begin(), tests->end(),
            [&](const FeatureTest& a, const FeatureTest& b) { return key(a) < key(b); });
}

absl::StatusOr<FoundSpan> SpanOf(const RecordedPairs& pairs, int64_t column, int64_t pair,
                                 bool is_chosen) {
  const PairFeatures::Place place = pairs.features.PlaceOf(column);
  const TokenPairView view = pairs.train.pair(pair);
  const absl::Span<const int32_t> ids = is_chosen ? view.chosen : view.rejected;
  FPO_ASSIGN_OR_RETURN(const std::vector<float> activations,
                       TokenActivations(pairs.model, pairs.saes[place.sae], place.feature,
                                        Sequence{view.prompt, ids}));
  const StrongTokens strong = StrongestTokens(activations);
  const int64_t from = std::max<int64_t>(0, strong.first - kContextTokens);
  const int64_t to =
      std::min<int64_t>(static_cast<int64_t>(ids.size()), strong.last + 1 + kContextTokens);
  const auto text = [&](int64_t first, int64_t end) {
    return pairs.texts.Decode(
        ids.subspan(static_cast<size_t>(first), static_cast<size_t>(end - first)));
  };
  FoundSpan span;
  span.pair = pairs.texts.Show(false, pair);
  span.is_chosen = is_chosen;
  span.activation = strong.activation;
  span.before = text(from, strong.first);
  span.strong = text(strong.first, strong.last + 1);
  span.after = text(strong.last + 1, to);
  return span;
}

// Adds spans to the first features of the list.
absl::Status AddSpans(const RecordedPairs& pairs, std::vector<FeatureFinding>* features) {
  const size_t shown = std::min(features->size(), kFeaturesShown);
  absl::flat_hash_map<uint32_t, ExtremePairs> extreme;
  absl::flat_hash_map<uint32_t, double> direction;
  for (size_t i = 0; i < shown; ++i) {
    const FeatureTest& test = (*features)[i].test;
    direction[static_cast<uint32_t>(test.column)] = test.effect_at_equal_length < 0 ? -1 : 1;
  }
  for (int64_t i = 0; i < pairs.train.size() && shown > 0; ++i) {
    FPO_ASSIGN_OR_RETURN(const PairFeatures::Row row, pairs.features.At(i));
    for (const auto& [column, value] : row.differences) {
      const auto found = direction.find(column);
      if (found != direction.end()) extreme[column].Add(found->second * value, i);
    }
  }
  Work work("reading where features are strong", static_cast<int64_t>(shown), "features");
  for (size_t i = 0; i < shown; ++i) {
    const auto column = static_cast<uint32_t>((*features)[i].test.column);
    for (const int64_t pair : extreme[column].Take()) {
      FPO_ASSIGN_OR_RETURN(FoundSpan span, SpanOf(pairs, column, pair, direction[column] > 0));
      (*features)[i].spans.push_back(std::move(span));
    }
    work.Advance();
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status FindFeatures(const RecordedPairs& pairs, Findings* findings) {
  FPO_ASSIGN_OR_RETURN(std::vector<FeatureTest> tests, TestColumns(pairs));
  SortTests(&tests);
  for (const FeatureTest& test : tests) {
    const FeatureFinding finding{pairs.features.NameOf(test.column), test, {}};
    if (test.column >= pairs.features.features()) {
      findings->plain.push_back(finding);
      continue;
    }
    ++findings->features_tested;
    findings->features_separating += test.q < kSeparates;
    findings->features_separating_at_equal_length += test.q_at_equal_length < kSeparates;
    if (Separates(test) && findings->features.size() < kFeaturesListed) {
      findings->features.push_back(finding);
    }
  }
  std::sort(findings->plain.begin(), findings->plain.end(),
            [](const auto& a, const auto& b) { return a.test.column < b.test.column; });
  return AddSpans(pairs, &findings->features);
}

}  // namespace fpo::train
