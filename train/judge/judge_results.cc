#include "train/judge/judge_results.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "train/verdicts/annotations.h"

namespace fpo::train {
namespace {

constexpr int64_t kRefitsMax = 300;

// The model's share in each order; the first answer is the baseline's in one of them.
std::optional<double> WhereBaselineIsFirst(const PairVerdicts& verdicts) {
  const Verdict* verdict = verdicts.baseline_first;
  if (verdict == nullptr || !verdict->first) return std::nullopt;
  return 1 - *verdict->first;
}
std::optional<double> WhereModelIsFirst(const PairVerdicts& verdicts) {
  const Verdict* verdict = verdicts.model_first;
  return verdict == nullptr ? std::nullopt : verdict->first;
}

// Sums over all verdicts.
class VerdictTotals {
 public:
  void Add(const Verdict* verdict, JudgeSummary* summary) {
    if (verdict == nullptr) return;
    summary->prompt_tokens += verdict->prompt_tokens;
    summary->answer_tokens += verdict->answer_tokens;
    summary->unclear += verdict->first ? 0 : 1;
    first_ += verdict->first.value_or(0);
    count_ += verdict->first ? 1 : 0;
    mass_ += verdict->is_weighted ? verdict->mass : 0;
    weighted_ += verdict->is_weighted ? 1 : 0;
  }
  void Finish(JudgeSummary* summary) const {
    summary->first_share = first_ / count_;
    summary->mass = mass_ / weighted_;  // NaN without one
  }

 private:
  double first_ = 0, count_ = 0, mass_ = 0, weighted_ = 0;
};

void CompareOrders(const PairVerdicts& verdicts, JudgeSummary* summary) {
  const auto a = WhereBaselineIsFirst(verdicts), b = WhereModelIsFirst(verdicts);
  if (!a || !b) return;
  ++summary->both_orders;
  const bool differ = (*a - 0.5) * (*b - 0.5) < 0;
  summary->disagreements += differ ? 1 : 0;
}

absl::Status ControlLength(const std::vector<JudgedLength>& rows,
                           const AlpacaCalibration& calibration, const BootstrapOptions& bootstrap,
                           JudgeSummary* summary) {
  FPO_ASSIGN_OR_RETURN(summary->controlled, FitLengthControl(rows, calibration.gamed));
  BootstrapOptions refits = bootstrap;  // each is a fit, so fewer of them
  refits.rounds = std::min(bootstrap.rounds, kRefitsMax);
  summary->controlled_interval =
      LengthControlInterval(rows, calibration.gamed, *summary->controlled, refits);
  return absl::OkStatus();
}

absl::Status CheckCalibration(const AnswerPairs& answers, const AlpacaCalibration& calibration) {
  const auto known = static_cast<int64_t>(calibration.difficulties.size());
  if (known == answers.baseline_rows) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "the table of --length-control has the difficulties of ", known,
      " instructions, and the baseline answers ", answers.baseline_rows,
      "; they belong together by their place, so the baseline must be AlpacaEval's whole set"));
}

}  // namespace

std::optional<double> PreferenceOf(const PairVerdicts& verdicts) {
  const auto a = WhereBaselineIsFirst(verdicts), b = WhereModelIsFirst(verdicts);
  if (a && b) return (*a + *b) / 2;
  return a ? a : b;
}

absl::StatusOr<JudgeSummary> Summarise(const AnswerPairs& answers,
                                       const std::vector<PairVerdicts>& verdicts,
                                       const AlpacaCalibration* calibration,
                                       const BootstrapOptions& bootstrap) {
  if (calibration != nullptr) FPO_RETURN_IF_ERROR(CheckCalibration(answers, *calibration));
  JudgeSummary summary;
  VerdictTotals totals;
  std::vector<double> preferences;
  std::vector<JudgedLength> rows;
  for (size_t i = 0; i < answers.pairs.size(); ++i) {
    totals.Add(verdicts[i].baseline_first, &summary);
    totals.Add(verdicts[i].model_first, &summary);
    CompareOrders(verdicts[i], &summary);
    const std::optional<double> preference = PreferenceOf(verdicts[i]);
    if (!preference) continue;
    const AnswerPair& pair = answers.pairs[i];
    JudgedLength row{*preference, CodePoints(pair.baseline_output), CodePoints(pair.model_output),
                     0};
    if (calibration != nullptr) {
      row.difficulty = calibration->difficulties[static_cast<size_t>(pair.index)];
    }
    summary.baseline_length += row.baseline_length;
    summary.model_length += row.model_length;
    preferences.push_back(*preference);
    rows.push_back(row);
  }
  totals.Finish(&summary);
  FPO_ASSIGN_OR_RETURN(summary.rate, WinRateOf(preferences));
  summary.baseline_length /= summary.rate.count;
  summary.model_length /= summary.rate.count;
  const Interval share = BootstrapMean(preferences, bootstrap);
  summary.interval = {100 * share.low, 100 * share.high};
  if (calibration != nullptr) {
    FPO_RETURN_IF_ERROR(ControlLength(rows, *calibration, bootstrap, &summary));
  }
  return summary;
}

std::string AnnotationRow(const AnswerPairs& answers, const AnswerPair& pair,
                          const PairVerdicts& verdicts, const std::string& annotator) {
  const auto annotation = [](const std::optional<double>& preference) {
    return preference ? JsonNumber(AnnotationOfPreference(*preference)) : std::string("null");
  };
  JsonObject row;
  if (!pair.dataset.empty()) row.Add("dataset", pair.dataset);
  row.Add("instruction", pair.question);
  row.Add("output_1", pair.baseline_output);
  row.Add("generator_1", answers.baseline);
  row.Add("output_2", pair.model_output);
  row.Add("generator_2", answers.model);
  row.Add("annotator", annotator);
  row.AddRaw("preference", annotation(PreferenceOf(verdicts)));
  if (verdicts.baseline_first != nullptr) {
    row.AddRaw("preference_baseline_first", annotation(WhereBaselineIsFirst(verdicts)));
  }
  if (verdicts.model_first != nullptr) {
    row.AddRaw("preference_model_first", annotation(WhereModelIsFirst(verdicts)));
  }
  return row.Text();
}

}  // namespace fpo::train
