#include "train/statistics/label_check.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/evaluation/sparse_logistic.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/statistics/random_bits.h"
#include "train/statistics/ridge_logistic.h"

namespace fpo::train {
namespace {

constexpr int64_t kPairsMin = 50;
constexpr int64_t kActiveMin = 3;  // pairs; a feature of fewer says nothing of the others
constexpr double kPenalties[] = {0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30};

// Indices in an order that depends on the seed alone.
std::vector<int64_t> RandomOrder(int64_t count, uint64_t seed) {
  std::vector<std::pair<uint64_t, int64_t>> keys;
  for (int64_t i = 0; i < count; ++i) {
    keys.emplace_back(MixBits(MixBits(seed) ^ static_cast<uint64_t>(i)), i);
  }
  std::sort(keys.begin(), keys.end());
  std::vector<int64_t> order;
  for (const auto& [key, index] : keys) order.push_back(index);
  return order;
}

// Gives columns their weight in the penalty: each feature has root mean square 1, all of a pair's
// together about 1, and each of the other columns 1 for itself.
class ColumnScale {
 public:
  ColumnScale(const SparseRows& rows, const LabelledPairs& pairs)
      : factor_(static_cast<size_t>(pairs.columns), 0) {
    std::vector<int64_t> active(factor_.size(), 0);
    std::vector<double> squares(factor_.size(), 0);
    double entries = 0;
    for (int64_t i = 0; i < rows.size(); ++i) {
      for (const auto& [column, value] : rows.row(i)) {
        ++active[column];
        squares[column] += double{value} * value;
        if (column < pairs.features) ++entries;
      }
    }
    const auto count = static_cast<double>(rows.size());
    for (size_t column = 0; column < factor_.size(); ++column) {
      if (active[column] < kActiveMin || squares[column] == 0) continue;
      const bool is_feature = static_cast<int64_t>(column) < pairs.features;
      const double together = is_feature ? std::sqrt(std::max(1.0, entries / count)) : 1;
      const double over = is_feature ? static_cast<double>(active[column]) : count;
      factor_[column] = 1 / (std::sqrt(squares[column] / over) * together);
    }
  }
  SparseRow Of(absl::Span<const std::pair<uint32_t, float>> row) const {
    SparseRow scaled;
    for (const auto& [column, value] : row) {
      const auto by = static_cast<float>(value * factor_[column]);
      if (by != 0) scaled.emplace_back(column, by);
    }
    return scaled;
  }

 private:
  std::vector<double> factor_;
};

// Models of the fitted pairs, one for each fold, of all pairs but the fold's.
class FoldModels {
 public:
  FoldModels(const LabelledPairs& pairs, const LabelCheckOptions& options)
      : pairs_(pairs), options_(options) {
    weights_.assign(static_cast<size_t>(options.folds),
                    std::vector<double>(static_cast<size_t>(pairs.columns), 0));
  }

  size_t FoldOf(int64_t pair) const {
    const auto group = static_cast<uint64_t>(pairs_.group[static_cast<size_t>(pair)]);
    return MixBits(MixBits(options_.seed + 1) ^ group) % weights_.size();
  }
  void Fit(const SparseRows& rows, const std::vector<int64_t>& fitted,
           const std::vector<bool>& flipped, double c) {
    for (size_t fold = 0; fold < weights_.size(); ++fold) {
      std::vector<FittedRow> others;
      for (size_t i = 0; i < fitted.size(); ++i) {
        if (FoldOf(fitted[i]) != fold) others.push_back({static_cast<int64_t>(i), flipped[i]});
      }
      weights_[fold] = FitRidgeLogistic(rows, others, c, std::move(weights_[fold]));
    }
  }
  void TakeWeights(const FoldModels& from) { weights_ = from.weights_; }
  // log(right / wrong) of a pair's label.
  double Margin(int64_t pair, absl::Span<const std::pair<uint32_t, float>> row) const {
    return Dot(row, weights_[FoldOf(pair)]);
  }

 private:
  const LabelledPairs& pairs_;
  const LabelCheckOptions& options_;
  std::vector<std::vector<double>> weights_;  // [folds][columns]
};

double LossOfMargin(double margin) {
  return margin > 0 ? std::log1p(std::exp(-margin)) : -margin + std::log1p(std::exp(margin));
}

// Share of the flipped ones in the tenth with the smallest margins.
double FoundInFirstTenth(const std::vector<double>& margins, const std::vector<bool>& flipped) {
  std::vector<size_t> order(margins.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return margins[a] < margins[b]; });
  const size_t tenth = margins.size() / 10;
  const auto found = std::count_if(order.begin(), order.begin() + static_cast<int64_t>(tenth),
                                   [&](size_t i) { return flipped[i]; });
  const auto all = std::count(flipped.begin(), flipped.end(), true);
  return static_cast<double>(found) / static_cast<double>(all);
}

absl::Status CheckSizes(const LabelledPairs& pairs, const LabelCheckOptions& options) {
  if (pairs.count < kPairsMin) {
    return absl::InvalidArgumentError(absl::StrCat("labels are checked among at least ", kPairsMin,
                                                   " pairs; there are ", pairs.count));
  }
  const std::set<int64_t> groups(pairs.group.begin(), pairs.group.end());
  if (groups.size() >= static_cast<size_t>(options.folds)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the pairs are copies of ", groups.size(),
                                                 "; labels are checked among ", options.folds,
                                                 " at least"));
}

// Everything but the sizes: one object, since each part needs the fitted pairs.
class LabelChecker {
 public:
  LabelChecker(const LabelledPairs& pairs, const LabelCheckOptions& options)
      : pairs_(pairs), options_(options), models_(pairs, options) {}

  absl::Status ReadFitted() {
    fitted_ = RandomOrder(pairs_.count, options_.seed);
    fitted_.resize(static_cast<size_t>(std::min(pairs_.count, options_.fitted_max)));
    std::sort(fitted_.begin(), fitted_.end());
    SparseRows raw;
    for (const int64_t pair : fitted_) {
      FPO_ASSIGN_OR_RETURN(const SparseRow row, pairs_.row(pair));
      raw.Add(row);
    }
    scale_.emplace(raw, pairs_);
    for (int64_t i = 0; i < raw.size(); ++i) rows_.Add(scale_->Of(raw.row(i)));
    return absl::OkStatus();
  }
  void ChoosePenalty(LabelCheck* check) {
    const std::vector<bool> as_labelled(fitted_.size(), false);
    Work work("fitting the check of labels", std::size(kPenalties) + 1, "fits");
    double least = std::numeric_limits<double>::infinity();
    FoldModels best = models_;
    for (const double c : kPenalties) {
      models_.Fit(rows_, fitted_, as_labelled, c);
      work.Advance();
      double loss = 0;
      for (const double margin : Margins()) loss += LossOfMargin(margin);
      if (loss >= least) break;
      least = loss;
      check->c = c;
      best.TakeWeights(models_);
    }
    models_.TakeWeights(best);
    check->fitted = static_cast<int64_t>(fitted_.size());
  }
  absl::Status Judge(LabelCheck* check) const {
    for (int64_t pair = 0; pair < pairs_.count; ++pair) {
      FPO_ASSIGN_OR_RETURN(const SparseRow row, pairs_.row(pair));
      const double margin = models_.Margin(pair, scale_->Of(row));
      check->right.push_back(Sigmoid(margin));
      check->agreement += margin > 0 ? 1 : margin == 0 ? 0.5 : 0;
      check->log_loss += LossOfMargin(margin);
    }
    check->agreement /= static_cast<double>(pairs_.count);
    check->log_loss /= static_cast<double>(pairs_.count);
    return absl::OkStatus();
  }
  void CheckItself(LabelCheck* check) {
    check->flipped = std::llround(options_.flipped * static_cast<double>(fitted_.size()));
    if (check->flipped == 0) return;
    std::vector<bool> flipped(fitted_.size(), false);
    const std::vector<int64_t> order = RandomOrder(check->fitted, options_.seed + 2);
    for (int64_t i = 0; i < check->flipped; ++i) flipped[static_cast<size_t>(order[i])] = true;
    models_.Fit(rows_, fitted_, flipped, check->c);
    std::vector<double> margins = Margins();
    for (size_t i = 0; i < margins.size(); ++i) margins[i] *= flipped[i] ? -1 : 1;
    check->found_in_first_tenth = FoundInFirstTenth(margins, flipped);
  }

 private:
  std::vector<double> Margins() const {
    std::vector<double> margins;
    for (size_t i = 0; i < fitted_.size(); ++i) {
      margins.push_back(models_.Margin(fitted_[i], rows_.row(static_cast<int64_t>(i))));
    }
    return margins;
  }

  const LabelledPairs& pairs_;
  const LabelCheckOptions& options_;
  FoldModels models_;
  std::vector<int64_t> fitted_;  // pairs, ascending
  SparseRows rows_;              // of the fitted pairs, scaled
  std::optional<ColumnScale> scale_;
};

}  // namespace

absl::StatusOr<LabelCheck> CheckLabels(const LabelledPairs& pairs,
                                       const LabelCheckOptions& options) {
  FPO_RETURN_IF_ERROR(CheckSizes(pairs, options));
  LabelChecker checker(pairs, options);
  FPO_RETURN_IF_ERROR(checker.ReadFitted());
  LabelCheck check;
  checker.ChoosePenalty(&check);
  FPO_RETURN_IF_ERROR(checker.Judge(&check));
  checker.CheckItself(&check);
  return check;
}

}  // namespace fpo::train
