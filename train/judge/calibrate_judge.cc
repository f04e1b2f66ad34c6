#include "train/judge/calibrate_judge.h"

#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/evaluation/win_rate.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "train/events/exit_status.h"
#include "train/judge/calibration_pairs.h"

namespace fpo::train {
namespace {

constexpr char kMade[] = "fpo-calibration-1";  // marks the file as this command's
constexpr int64_t kOutBytesMax = 1 << 20;
constexpr int64_t kFewPairs = 100;

std::string IntervalText(const Interval& bounds, double scale = 1) {
  return JsonArray({JsonNumber(scale * bounds.low), JsonNumber(scale * bounds.high)});
}

std::string NamesText(const std::set<std::string>& names) {
  std::vector<std::string> quoted;
  for (const std::string& name : names) quoted.push_back(JsonQuote(name));
  return JsonArray(quoted);
}

std::string Spoken(const std::set<std::string>& names) {
  return names.empty() ? std::string("a model without a name") : absl::StrJoin(names, ", ");
}

absl::StatusOr<std::vector<Annotation>> ReadAll(const std::vector<std::string>& paths) {
  std::vector<Annotation> all;
  for (const std::string& path : paths) {
    FPO_ASSIGN_OR_RETURN(std::vector<Annotation> read, ReadAnnotations(path));
    all.insert(all.end(), std::make_move_iterator(read.begin()),
               std::make_move_iterator(read.end()));
  }
  return all;
}

// The identity in the summary beside a file of `fpo-train judge`; "" where there is none.
std::string IdentityBeside(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path + ".summary.json", kOutBytesMax);
  if (!text.ok()) return "";
  const absl::StatusOr<nlohmann::json> summary = ParseJson(*text);
  const nlohmann::json* judge = summary.ok() ? FindMember(*summary, "judge") : nullptr;
  return judge == nullptr ? "" : judge->dump();
}

class Calibration {
 public:
  Calibration(const CalibrateOptions& options, EventSink& events)
      : options_(options), events_(events) {}
  absl::Status Run();

 private:
  absl::Status CheckOut() const;
  absl::Status CheckOneJudge() const;
  absl::Status Correct();
  void Warn(const std::string& message) const { events_.Emit(WarningEvent(message)); }
  void WarnOfPairs() const;
  void WarnOfCorrection() const;
  // Of the evaluated pairs where some have a truth; else others stand for them.
  const std::vector<JudgedTwice>& TheSample() const {
    return pairs_.sampled.empty() ? pairs_.both : pairs_.sampled;
  }
  std::string Text() const;
  std::string EvaluatedText() const;
  void Tell() const;

  const CalibrateOptions& options_;
  EventSink& events_;
  CalibrationPairs pairs_;
  Agreement agreement_;
  std::optional<WinRate> uncorrected_;
  std::optional<CorrectedRate> powered_, unmixed_;
  std::string refused_;  // why there is no unmixed_
};

absl::Status Calibration::CheckOut() const {
  const absl::StatusOr<std::string> there = ReadFile(options_.out, kOutBytesMax);
  if (absl::IsNotFound(there.status())) return absl::OkStatus();
  if (there.ok() && absl::StrContains(*there, kMade)) return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrCat(options_.out,
                   " exists and is no result of calibrate, so it is not overwritten; name another "
                   "--out"));
}

// By what it is, where the summaries say so; else by its name.
absl::Status Calibration::CheckOneJudge() const {
  std::set<std::string> identities, names = pairs_.calibration.annotators;
  std::vector<std::string> files = options_.judged;
  if (!options_.evaluated.empty()) files.push_back(options_.evaluated);
  bool is_known = true;
  for (const std::string& file : files) {
    const std::string identity = IdentityBeside(file);
    is_known = is_known && !identity.empty();
    if (!identity.empty()) identities.insert(identity);
  }
  names.insert(pairs_.evaluated.annotators.begin(), pairs_.evaluated.annotators.end());
  if (identities.size() > 1 || names.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        absl::StrJoin(files, ", "), " are of several judges (", absl::StrJoin(names, ", "),
        identities.size() > 1 ? "; their summaries name different models, instructions or settings"
                              : "",
        "); a calibration is of one judge"));
  }
  if (!is_known) {
    Warn(
        absl::StrCat("not every file of the judge has its .summary.json beside it, so that they "
                     "are of one judge is known by its name alone (",
                     absl::StrJoin(names, ", "), ")"));
  }
  return absl::OkStatus();
}

void Calibration::WarnOfPairs() const {
  const auto count = static_cast<int64_t>(pairs_.both.size());
  if (pairs_.without_truth > 0 || pairs_.without_judge > 0) {
    Warn(absl::StrCat(pairs_.without_truth, " of the judge's pairs have no truth and ",
                      pairs_.without_judge,
                      " pairs with a truth have no verdict; they count nowhere"));
  }
  const int64_t unclear =
      pairs_.calibration.unclear + pairs_.evaluated.unclear + pairs_.truth.unclear;
  if (unclear > 0) {
    Warn(absl::StrCat(unclear,
                      " rows have no preference and count nowhere; if those are the hard "
                      "pairs, the judge looks better than it is"));
  }
  if (count < kFewPairs) {
    Warn(absl::StrCat("only ", count, " pairs calibrate the judge; below ", kFewPairs,
                      " the intervals are too narrow"));
  }
  for (const std::string& annotator : pairs_.truth.annotators) {
    if (pairs_.calibration.annotators.count(annotator) == 0) continue;
    Warn(absl::StrCat("the truth is of ", annotator,
                      ", as the judge is: it is compared with itself"));
  }
}

// What each correction takes for granted.
void Calibration::WarnOfCorrection() const {
  bool same = pairs_.evaluated.baselines == pairs_.calibration.baselines;
  for (const std::string& model : pairs_.evaluated.models) {
    same = same && pairs_.calibration.models.count(model) != 0;
  }
  if (!same) {
    Warn(absl::StrCat("the judge was calibrated on answers of ", Spoken(pairs_.calibration.models),
                      " against ", Spoken(pairs_.calibration.baselines),
                      " and is used on those of ", Spoken(pairs_.evaluated.models), " against ",
                      Spoken(pairs_.evaluated.baselines),
                      ": share_of_wins_misclassification holds only if it errs alike on both"));
  }
  if (pairs_.sampled.empty()) {
    Warn(
        "no pair of --evaluated has a truth: win_rate_prediction_powered holds only if the "
        "calibration's pairs are like a random sample of them, with the same win rate. Have some "
        "of them, drawn at random, judged by people");
  }
  if (pairs_.shared_questions > 0) {
    Warn(absl::StrCat(pairs_.shared_questions,
                      " questions are both calibrated with and evaluated; the intervals take rows "
                      "of one question for dependent, and a judge that was chosen or prompted with "
                      "these questions looks better than it is"));
  }
  for (const auto& rate : {powered_, unmixed_}) {
    if (rate && (rate->percent < 0 || rate->percent > 100)) {
      Warn(absl::StrFormat(
          "a corrected rate is %.2f %%, outside 0 to 100: chance, or an assumption that does not "
          "hold",
          rate->percent));
    }
  }
}

absl::Status Calibration::Correct() {
  FPO_ASSIGN_OR_RETURN(uncorrected_, WinRateOf(pairs_.evaluated_preferences));
  if (pairs_.judged.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "every pair of ", options_.evaluated,
        " has a truth: its win rate is known and needs no judge; leave --evaluated out"));
  }
  FPO_ASSIGN_OR_RETURN(powered_, PredictionPoweredRate(TheSample(), pairs_.judged));
  absl::StatusOr<CorrectedRate> unmixed = MisclassificationRate(pairs_.both, pairs_.judged);
  if (unmixed.ok()) {
    unmixed_ = *unmixed;
  } else {
    refused_ = std::string(unmixed.status().message());
    Warn(absl::StrCat("no share of wins: ", refused_));
  }
  WarnOfCorrection();
  return absl::OkStatus();
}

std::string Calibration::EvaluatedText() const {
  JsonObject text;
  text.AddRaw("models", NamesText(pairs_.evaluated.models));
  text.AddRaw("baselines", NamesText(pairs_.evaluated.baselines));
  text.Add("pairs", uncorrected_->count);
  text.Add("pairs_with_truth", static_cast<int64_t>(pairs_.sampled.size()));
  text.Add("shared_questions", pairs_.shared_questions);
  text.Add("win_rate_by_judge", uncorrected_->percent);
  text.Add("win_rate_prediction_powered", powered_->percent);
  text.Add("prediction_powered_standard_error", powered_->standard_error);
  text.AddRaw("prediction_powered_interval_95", IntervalText(powered_->interval_95));
  text.Add("prediction_powered_pairs", static_cast<int64_t>(TheSample().size()));
  text.Add("judge_weight", powered_->weight);
  if (unmixed_) {
    text.Add("share_of_wins_misclassification", unmixed_->percent);
    text.Add("misclassification_standard_error", unmixed_->standard_error);
    text.AddRaw("misclassification_interval_95", IntervalText(unmixed_->interval_95));
  } else {
    text.Add("misclassification_refused", refused_);
  }
  return text.Text();
}

std::string Calibration::Text() const {
  JsonObject text;
  text.Add("form", kMade);
  const std::string identity = IdentityBeside(options_.judged.front());
  if (!identity.empty()) text.AddRaw("judge", identity);
  text.AddRaw("judge_names", NamesText(pairs_.calibration.annotators));
  text.AddRaw("truth_names", NamesText(pairs_.truth.annotators));
  text.AddRaw("models", NamesText(pairs_.calibration.models));
  text.AddRaw("baselines", NamesText(pairs_.calibration.baselines));
  text.Add("pairs", agreement_.pairs);
  text.Add("questions", pairs_.questions);
  std::vector<std::string> rows;
  for (const auto& row : agreement_.counts) {
    rows.push_back(JsonArray({absl::StrCat(row[0]), absl::StrCat(row[1]), absl::StrCat(row[2])}));
  }
  text.AddRaw("winners_by_truth_and_judge", JsonArray(rows));
  const auto add = [&](absl::string_view name, double value, const Interval& bounds) {
    text.Add(name, value);
    text.AddRaw(absl::StrCat(name, "_interval_95"), IntervalText(bounds));
  };
  add("agreement", agreement_.same, agreement_.same_interval);
  add("kappa", agreement_.kappa, agreement_.kappa_interval);
  add("sensitivity", agreement_.sensitivity, agreement_.sensitivity_interval);
  add("specificity", agreement_.specificity, agreement_.specificity_interval);
  add("rank_correlation", agreement_.rank_correlation, agreement_.rank_correlation_interval);
  add("bias", agreement_.bias, agreement_.bias_interval);
  if (uncorrected_) text.AddRaw("evaluated", EvaluatedText());
  return text.Text() + "\n";
}

void Calibration::Tell() const {
  events_.Emit(PhaseEvent(
      "train",
      absl::StrFormat("%s against %s on %d pairs of %d questions: the same winner in %.1f %% (95 "
                      "%%: %.1f to %.1f), kappa %.3f (%.3f to %.3f), rank correlation %.3f; says "
                      "so where the model won %.1f %%, where the baseline won %.1f %%",
                      Spoken(pairs_.calibration.annotators), Spoken(pairs_.truth.annotators),
                      agreement_.pairs, pairs_.questions, 100 * agreement_.same,
                      100 * agreement_.same_interval.low, 100 * agreement_.same_interval.high,
                      agreement_.kappa, agreement_.kappa_interval.low,
                      agreement_.kappa_interval.high, agreement_.rank_correlation,
                      100 * agreement_.sensitivity, 100 * agreement_.specificity)));
  if (!uncorrected_) return;
  std::string line = absl::StrFormat(
      "%s: win rate %.2f %% by the judge, %.2f %% (95 %%: %.2f to %.2f) by the truth, the judge "
      "counting %.2f",
      Spoken(pairs_.evaluated.models), uncorrected_->percent, powered_->percent,
      powered_->interval_95.low, powered_->interval_95.high, powered_->weight);
  if (unmixed_) {
    absl::StrAppendFormat(&line,
                          "; share of wins, corrected for misclassification, %.2f %% (%.2f to "
                          "%.2f)",
                          unmixed_->percent, unmixed_->interval_95.low, unmixed_->interval_95.high);
  }
  events_.Emit(PhaseEvent("train", line));
}

absl::Status Calibration::Run() {
  FPO_RETURN_IF_ERROR(CheckOut());
  FPO_ASSIGN_OR_RETURN(const std::vector<Annotation> judged, ReadAll(options_.judged));
  FPO_ASSIGN_OR_RETURN(const std::vector<Annotation> truth, ReadAll(options_.truth));
  std::vector<Annotation> evaluated;
  if (!options_.evaluated.empty()) {
    FPO_ASSIGN_OR_RETURN(evaluated, ReadAnnotations(options_.evaluated));
  }
  pairs_ = PairUp(judged, truth, evaluated);
  if (pairs_.both.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "no pair of ", absl::StrJoin(options_.judged, ", "), " is in ",
        absl::StrJoin(options_.truth, ", "),
        " with a preference in both; pairs are the same by instruction and both answers, so let "
        "the judge judge that file: fpo-train judge --pairs ",
        options_.truth.front()));
  }
  FPO_RETURN_IF_ERROR(CheckOneJudge());
  const BootstrapOptions bootstrap{options_.bootstrap, 0.95, static_cast<uint64_t>(options_.seed)};
  FPO_ASSIGN_OR_RETURN(agreement_, AgreementOf(pairs_.both, bootstrap));
  WarnOfPairs();
  if (!options_.evaluated.empty()) FPO_RETURN_IF_ERROR(Correct());
  FPO_RETURN_IF_ERROR(AsStorageError(WriteFileAtomically(options_.out, Text())));
  Tell();
  EventMetrics metrics = {{"pairs", static_cast<double>(agreement_.pairs)},
                          {"agreement", agreement_.same}};
  events_.Emit(ResultEvent(options_.out, 0, std::move(metrics)));
  return absl::OkStatus();
}

}  // namespace

absl::Status CalibrateJudge(const CalibrateOptions& options, EventSink& events) {
  return Calibration(options, events).Run();
}

}  // namespace fpo::train
