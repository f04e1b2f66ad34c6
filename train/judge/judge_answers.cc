#include "train/judge/judge_answers.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "train/judge/grade_results.h"
#include "train/judge/judge_output.h"
#include "train/judge/judge_results.h"
#include "train/judge/rate_answers.h"
#include "train/judge/verdict_asker.h"
#include "train/verdicts/annotations.h"

namespace fpo::train {
namespace {

// One order of one pair, as the store knows it.
struct AskedOrder {
  size_t pair = 0;
  bool model_first = false;
  std::string key;
};

class JudgeRun {
 public:
  JudgeRun(const JudgeOptions& options, EventSink& events) : options_(options), events_(events) {}
  absl::Status Run();

 private:
  absl::Status ReadInputs();
  absl::Status Open();
  Comparison ComparisonOf(const AskedOrder& order) const;
  absl::Status AskForMissing();
  absl::Status Finish();
  std::vector<PairVerdicts> StoredVerdicts() const;
  std::vector<std::string> Annotations(const std::vector<PairVerdicts>& verdicts) const;
  std::string SummaryText(const JudgeSummary& summary) const;
  void AddGrades(JsonObject* text) const;
  void Tell(const JudgeSummary& summary) const;
  void Warn(const JudgeSummary& summary) const;
  std::string GradesText() const;
  double AskedCost() const {
    return CostOf(options_, asker_->prompt_tokens(), asker_->answer_tokens());
  }
  bool GivesGrades() const { return options_.kind == "grades"; }
  void Note(const std::string& message) const { events_.Emit(WarningEvent(message)); }

  const JudgeOptions& options_;
  EventSink& events_;
  AnswerPairs answers_;
  std::optional<AlpacaCalibration> calibration_;
  JudgePrompt prompt_;
  std::unique_ptr<Judge> judge_;
  std::unique_ptr<VerdictStore> store_;
  std::optional<VerdictAsker> asker_;
  std::vector<AskedOrder> orders_;
  std::optional<GradeSummary> grades_;
};

absl::Status JudgeRun::ReadInputs() {
  if (!options_.pairs.empty()) {
    FPO_ASSIGN_OR_RETURN(const std::vector<Annotation> annotations,
                         ReadAnnotations(options_.pairs));
    answers_ = AnswersOf(annotations, options_.pairs_max);
  } else {
    FPO_ASSIGN_OR_RETURN(answers_,
                         ReadAnswerPairs(options_.outputs, options_.baseline, options_.pairs_max));
  }
  for (const std::string& note : answers_.notes) Note(note);
  if (options_.length_control.empty()) return absl::OkStatus();
  FPO_ASSIGN_OR_RETURN(calibration_, ReadAlpacaCalibration(options_.length_control));
  if (calibration_->is_published) return absl::OkStatus();
  Note(absl::StrCat(options_.length_control,
                    " is not the df_gamed.csv that AlpacaEval 2 has "
                    "published (SHA-256 ",
                    calibration_->digest,
                    "), so the length-controlled win rate is not comparable with its leaderboard"));
  return absl::OkStatus();
}

absl::Status JudgeRun::Open() {
  const VerdictForm form = GivesGrades() ? VerdictForm::kGrade : VerdictForm::kWinner;
  prompt_ = DefaultJudgePrompt(form);
  if (!options_.prompt_file.empty()) {
    FPO_ASSIGN_OR_RETURN(prompt_, ReadJudgePrompt(options_.prompt_file, options_.tokens, form));
  }
  FPO_ASSIGN_OR_RETURN(judge_, OpenJudge(options_, prompt_, events_));
  FPO_ASSIGN_OR_RETURN(store_, OpenVerdicts(options_, events_));
  asker_.emplace(*judge_, *store_, events_, options_.commands);
  return absl::OkStatus();
}

Comparison JudgeRun::ComparisonOf(const AskedOrder& order) const {
  const AnswerPair& pair = answers_.pairs[order.pair];
  const std::string &model = pair.model_output, &baseline = pair.baseline_output;
  return {pair.question, order.model_first ? model : baseline,
          order.model_first ? baseline : model};
}

absl::Status JudgeRun::AskForMissing() {
  std::vector<std::string> keys;
  for (size_t pair = 0; pair < answers_.pairs.size(); ++pair) {
    for (const bool model_first : {false, true}) {
      if (options_.order == (model_first ? "baseline_first" : "model_first")) continue;
      AskedOrder order{pair, model_first, ""};
      order.key = VerdictKey(judge_->identity(), ComparisonOf(order));
      keys.push_back(order.key);
      orders_.push_back(std::move(order));
    }
  }
  return asker_->AskForMissing(
      keys, [&](size_t place) { return FillPrompt(prompt_, ComparisonOf(orders_[place])); });
}

std::vector<PairVerdicts> JudgeRun::StoredVerdicts() const {
  std::vector<PairVerdicts> verdicts(answers_.pairs.size());
  for (const AskedOrder& order : orders_) {
    PairVerdicts& pair = verdicts[order.pair];
    (order.model_first ? pair.model_first : pair.baseline_first) = store_->Find(order.key);
  }
  return verdicts;
}

std::vector<std::string> JudgeRun::Annotations(const std::vector<PairVerdicts>& verdicts) const {
  std::vector<std::string> rows;
  for (size_t i = 0; i < verdicts.size(); ++i) {
    rows.push_back(AnnotationRow(answers_, answers_.pairs[i], verdicts[i], judge_->name()));
  }
  return rows;
}

std::string BoundsText(const Interval& bounds) {
  return JsonArray({JsonNumber(bounds.low), JsonNumber(bounds.high)});
}

void JudgeRun::AddGrades(JsonObject* text) const {
  if (!grades_) return;
  text->Add("arena_score", grades_->score.percent);
  text->AddRaw("arena_score_interval_95", BoundsText(grades_->score.interval));
  std::vector<std::string> counts;
  for (const int64_t count : grades_->counts) counts.push_back(absl::StrCat(count));
  text->AddRaw("grades", JsonArray(counts));
}

std::string JudgeRun::SummaryText(const JudgeSummary& summary) const {
  JsonObject text;
  text.Add("model", answers_.model);
  text.Add("baseline", answers_.baseline);
  text.AddRaw("judge", judge_->identity());
  text.Add("order", options_.order);
  text.Add("pairs", static_cast<int64_t>(answers_.pairs.size()));
  text.Add("judged", summary.rate.count);
  text.Add("win_rate", summary.rate.percent);
  text.Add("standard_error", summary.rate.standard_error);
  text.AddRaw("interval_95", BoundsText(summary.interval));
  text.Add("wins", summary.rate.wins);
  text.Add("losses", summary.rate.losses);
  text.Add("draws", summary.rate.draws);
  if (summary.controlled) {
    const LengthControlFit& fit = *summary.controlled;
    text.Add("length_controlled_win_rate", fit.rate.percent);
    text.AddRaw("length_controlled_interval_95", BoundsText(summary.controlled_interval));
    text.AddRaw("length_controlled_weights",
                JsonArray({JsonNumber(fit.weights.length), JsonNumber(fit.weights.difficulty),
                           JsonNumber(fit.weights.model)}));
    text.Add("length_controlled_table", calibration_->digest);
  }
  AddGrades(&text);
  text.Add("unclear_verdicts", summary.unclear);
  text.Add("pairs_in_both_orders", summary.both_orders);
  text.Add("orders_disagree", summary.disagreements);
  text.Add("first_answer_share", summary.first_share);
  text.Add("verdict_token_mass", summary.mass);
  text.Add("model_length", summary.model_length);
  text.Add("baseline_length", summary.baseline_length);
  text.Add("prompt_tokens", summary.prompt_tokens);
  text.Add("answer_tokens", summary.answer_tokens);
  text.Add("cost", CostOf(options_, summary.prompt_tokens, summary.answer_tokens));
  return text.Text() + "\n";
}

std::string JudgeRun::GradesText() const {
  if (!grades_) return "";
  const auto& counts = grades_->counts;
  return absl::StrFormat(
      "; Arena-Hard's score %.2f %% (%.2f to %.2f), grades from much better to much worse: %d, %d, "
      "%d, %d, %d",
      grades_->score.percent, grades_->score.interval.low, grades_->score.interval.high, counts[0],
      counts[1], counts[2], counts[3], counts[4]);
}

void JudgeRun::Tell(const JudgeSummary& summary) const {
  std::string line = absl::StrFormat(
      "%s against %s: win rate %.2f %% (95 %%: %.2f to %.2f), %d wins, %d losses, %d draws",
      answers_.model, answers_.baseline, summary.rate.percent, summary.interval.low,
      summary.interval.high, summary.rate.wins, summary.rate.losses, summary.rate.draws);
  if (summary.controlled) {
    absl::StrAppendFormat(&line, "; length-controlled %.2f %% (%.2f to %.2f)",
                          summary.controlled->rate.percent, summary.controlled_interval.low,
                          summary.controlled_interval.high);
  }
  events_.Emit(PhaseEvent("train", line + GradesText()));
  events_.Emit(PhaseEvent(
      "train", absl::StrFormat("asked for %d verdicts: %d tokens read, %d written, cost %.4f",
                               asker_->asked(), asker_->prompt_tokens(), asker_->answer_tokens(),
                               AskedCost())));
  Warn(summary);
}

void JudgeRun::Warn(const JudgeSummary& summary) const {
  if (summary.unclear > 0) {
    events_.Emit(WarningEvent(absl::StrCat(summary.unclear, " of ", orders_.size(),
                                           " verdicts name neither answer and count nowhere")));
  }
  if (summary.both_orders > 0 && 3 * summary.disagreements > summary.both_orders) {
    events_.Emit(WarningEvent(absl::StrFormat(
        "in %d of %d pairs the judge names another winner when the answers change places (the "
        "first "
        "answer gets %.0f %% of its belief), so its verdicts say little about the answers",
        summary.disagreements, summary.both_orders, 100 * summary.first_share)));
  }
  if (summary.mass < 0.5) {  // false without weighted verdicts
    events_.Emit(
        WarningEvent(absl::StrFormat("the judge gave the two verdicts a probability of %.3f on "
                                     "average: it wants to say something "
                                     "else, so its verdicts may mean little",
                                     summary.mass)));
  }
}

absl::Status JudgeRun::Finish() {
  const std::vector<PairVerdicts> verdicts = StoredVerdicts();
  const BootstrapOptions bootstrap{options_.bootstrap, 0.95, static_cast<uint64_t>(options_.seed)};
  FPO_ASSIGN_OR_RETURN(
      const JudgeSummary summary,
      Summarise(answers_, verdicts, calibration_ ? &*calibration_ : nullptr, bootstrap));
  if (GivesGrades()) {
    FPO_ASSIGN_OR_RETURN(grades_, SummariseGrades(answers_, verdicts, bootstrap));
  }
  FPO_RETURN_IF_ERROR(WriteJudgeOut(options_.out, SummaryText(summary), Annotations(verdicts)));
  Tell(summary);
  EventMetrics metrics = {{"win_rate", summary.rate.percent},
                          {"judged", static_cast<double>(summary.rate.count)},
                          {"verdicts", static_cast<double>(orders_.size())},
                          {"verdicts_asked", static_cast<double>(asker_->asked())},
                          {"prompt_tokens", static_cast<double>(asker_->prompt_tokens())},
                          {"answer_tokens", static_cast<double>(asker_->answer_tokens())},
                          {"cost", AskedCost()}};
  if (grades_) metrics["arena_score"] = grades_->score.percent;
  if (summary.rate.count > 1) metrics["standard_error"] = summary.rate.standard_error;
  if (summary.controlled) {
    metrics["length_controlled_win_rate"] = summary.controlled->rate.percent;
  }
  events_.Emit(ResultEvent(options_.out, 0, std::move(metrics)));
  return absl::OkStatus();
}

absl::Status JudgeRun::Run() {
  FPO_RETURN_IF_ERROR(
      CheckJudgeOut(options_.out, {options_.outputs, options_.baseline, options_.pairs}));
  FPO_RETURN_IF_ERROR(ReadInputs());
  FPO_RETURN_IF_ERROR(Open());
  FPO_RETURN_IF_ERROR(MakeFolderOf(options_.out));
  FPO_RETURN_IF_ERROR(AskForMissing());
  return Finish();
}

}  // namespace

absl::Status JudgeAnswers(const JudgeOptions& options, EventSink& events) {
  if (options.kind == "rating") return RateAnswers(options, events);
  return JudgeRun(options, events).Run();
}

}  // namespace fpo::train
