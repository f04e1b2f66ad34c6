#include "train/judge/judge_answers.h"

#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/files/durable_file.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "train/events/exit_status.h"
#include "train/events/stop_signal.h"
#include "train/judge/judge_results.h"
#include "train/judge/model_judge.h"
#include "train/verdicts/annotations.h"
#include "train/verdicts/verdict_store.h"

namespace fpo::train {
namespace {

std::string SummaryPath(const std::string& out) { return out + ".summary.json"; }

// Before anything is asked: what was paid for must find a place.
absl::Status MakeFolderOf(const std::string& out) {
  const std::filesystem::path parent = std::filesystem::path(out).parent_path();
  std::error_code error;
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (!error) return absl::OkStatus();
  return FailWith(ExitCode::kStorage,
                  absl::StrCat("cannot create ", parent.string(), ": ", error.message()));
}

// One order of one pair, as the store knows it.
struct AskedOrder {
  size_t pair = 0;
  bool model_first = false;
  std::string key;
};

class JudgeRun final : public VerdictSink {
 public:
  JudgeRun(const JudgeOptions& options, EventSink& events) : options_(options), events_(events) {}
  absl::Status Run();

 private:
  absl::Status CheckOut() const;
  absl::Status Open();
  absl::Status ReadInputs();
  Comparison ComparisonOf(const AskedOrder& order) const;
  absl::Status AskForMissing();
  absl::Status Finish();
  std::vector<PairVerdicts> StoredVerdicts() const;
  absl::Status WriteAnnotations(const std::vector<PairVerdicts>& verdicts) const;
  std::string SummaryText(const JudgeSummary& summary) const;
  void Tell(const JudgeSummary& summary) const;
  double Cost(int64_t prompt_tokens, int64_t answer_tokens) const;

  absl::Status Done(size_t index, Verdict verdict) override;
  void Note(const std::string& message) override { events_.Emit(WarningEvent(message)); }
  bool ShouldStop() override;

  const JudgeOptions& options_;
  EventSink& events_;
  AnswerPairs answers_;
  std::optional<AlpacaCalibration> calibration_;
  std::unique_ptr<Judge> judge_;
  std::unique_ptr<VerdictStore> store_;
  std::vector<AskedOrder> orders_;
  std::vector<size_t> missing_;  // places in orders_, each key once
  int64_t asked_ = 0, asked_prompt_tokens_ = 0, asked_answer_tokens_ = 0;
};

absl::Status JudgeRun::CheckOut() const {
  std::error_code error;
  for (const std::string& input : {options_.outputs, options_.baseline, options_.pairs}) {
    if (std::filesystem::equivalent(input, options_.out, error)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--out ", options_.out, " is one of the files of answers"));
    }
  }
  const bool is_there = std::filesystem::exists(options_.out, error);
  if (!is_there || std::filesystem::exists(SummaryPath(options_.out), error)) {
    return absl::OkStatus();
  }
  return absl::AlreadyExistsError(absl::StrCat(options_.out, " exists and has no ",
                                               SummaryPath(options_.out),
                                               " beside it, so it is not overwritten; name another "
                                               "--out"));
}

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
  if (options_.verdicts.empty()) {
    return absl::InvalidArgumentError("there is no home folder to keep verdicts in; give --store");
  }
  JudgePrompt prompt = DefaultJudgePrompt();
  if (!options_.prompt_file.empty()) {
    FPO_ASSIGN_OR_RETURN(prompt, ReadJudgePrompt(options_.prompt_file, options_.tokens));
  }
  if (IsUrl(options_.judge)) {
    EndpointOptions endpoint = options_.endpoint;
    endpoint.url = options_.judge;
    endpoint.prompt = prompt;
    FPO_ASSIGN_OR_RETURN(judge_, MakeEndpointJudge(endpoint));
  } else {
    ModelJudgeOptions model{options_.judge,  options_.dtype, options_.template_name,
                            options_.device, prompt,         options_.max_prompt_length};
    FPO_ASSIGN_OR_RETURN(judge_, OpenModelJudge(model, WarnOn(events_)));
  }
  FPO_ASSIGN_OR_RETURN(store_, VerdictStore::Open(options_.verdicts));
  if (store_->damaged_lines() > 0) {
    Note(absl::StrCat(store_->damaged_lines(), " damaged lines in ", store_->path(),
                      " are left out; those verdicts are asked for again where they are needed"));
  }
  return absl::OkStatus();
}

Comparison JudgeRun::ComparisonOf(const AskedOrder& order) const {
  const AnswerPair& pair = answers_.pairs[order.pair];
  const std::string &model = pair.model_output, &baseline = pair.baseline_output;
  return {pair.question, order.model_first ? model : baseline,
          order.model_first ? baseline : model};
}

bool JudgeRun::ShouldStop() {
  if (options_.commands != nullptr) {
    const auto command = options_.commands->Poll();
    if (command.ok() && command->has_value() && (*command)->kind == "stop") RequestStop();
  }
  return StopRequested();
}

absl::Status JudgeRun::Done(size_t index, Verdict verdict) {
  ++asked_;
  asked_prompt_tokens_ += verdict.prompt_tokens;
  asked_answer_tokens_ += verdict.answer_tokens;
  const std::string& key = orders_[missing_[index]].key;
  FPO_RETURN_IF_ERROR(AsStorageError(store_->Add(key, judge_->identity(), verdict)));
  AdvanceWork();
  return absl::OkStatus();
}

absl::Status JudgeRun::AskForMissing() {
  std::map<std::string, size_t> seen;
  for (size_t pair = 0; pair < answers_.pairs.size(); ++pair) {
    for (const bool model_first : {false, true}) {
      if (options_.order == (model_first ? "baseline_first" : "model_first")) continue;
      AskedOrder order{pair, model_first, ""};
      order.key = VerdictKey(judge_->identity(), ComparisonOf(order));
      const bool known = store_->Find(order.key) != nullptr;
      if (!known && seen.emplace(order.key, orders_.size()).second) {
        missing_.push_back(orders_.size());
      }
      orders_.push_back(std::move(order));
    }
  }
  const auto known = static_cast<int64_t>(orders_.size() - missing_.size());
  events_.Emit(PhaseEvent("train", absl::StrCat(known, " of ", orders_.size(), " verdicts are in ",
                                                store_->path(), " already")));
  if (missing_.empty()) return absl::OkStatus();
  std::vector<Comparison> comparisons;
  for (const size_t place : missing_) comparisons.push_back(ComparisonOf(orders_[place]));
  Work work({"train", "", 0, static_cast<int64_t>(orders_.size()), "verdicts"});
  work.SetDone(known);
  FPO_RETURN_IF_ERROR(judge_->JudgeAll(comparisons, *this));
  if (asked_ == static_cast<int64_t>(missing_.size())) return absl::OkStatus();
  return FailWith(ExitCode::kStopped,
                  absl::StrCat("stopped on request with ", known + asked_, " of ", orders_.size(),
                               " verdicts in ", store_->path(), "; the same command goes on"));
}

std::vector<PairVerdicts> JudgeRun::StoredVerdicts() const {
  std::vector<PairVerdicts> verdicts(answers_.pairs.size());
  for (const AskedOrder& order : orders_) {
    PairVerdicts& pair = verdicts[order.pair];
    (order.model_first ? pair.model_first : pair.baseline_first) = store_->Find(order.key);
  }
  return verdicts;
}

absl::Status JudgeRun::WriteAnnotations(const std::vector<PairVerdicts>& verdicts) const {
  std::vector<std::string> rows;
  for (size_t i = 0; i < verdicts.size(); ++i) {
    rows.push_back(AnnotationRow(answers_, answers_.pairs[i], verdicts[i], judge_->name()));
  }
  const bool is_list = absl::EndsWith(options_.out, ".json");
  const std::string text = is_list ? absl::StrCat("[\n", absl::StrJoin(rows, ",\n"), "\n]\n")
                                   : absl::StrCat(absl::StrJoin(rows, "\n"), "\n");
  return AsStorageError(WriteFileAtomically(options_.out, text));
}

double JudgeRun::Cost(int64_t prompt_tokens, int64_t answer_tokens) const {
  return (static_cast<double>(prompt_tokens) * options_.price_in +
          static_cast<double>(answer_tokens) * options_.price_out) /
         1e6;
}

std::string JudgeRun::SummaryText(const JudgeSummary& summary) const {
  const auto interval = [](const Interval& bounds) {
    return JsonArray({JsonNumber(bounds.low), JsonNumber(bounds.high)});
  };
  JsonObject text;
  text.Add("model", answers_.model);
  text.Add("baseline", answers_.baseline);
  text.AddRaw("judge", judge_->identity());
  text.Add("order", options_.order);
  text.Add("pairs", static_cast<int64_t>(answers_.pairs.size()));
  text.Add("judged", summary.rate.count);
  text.Add("win_rate", summary.rate.percent);
  text.Add("standard_error", summary.rate.standard_error);
  text.AddRaw("interval_95", interval(summary.interval));
  text.Add("wins", summary.rate.wins);
  text.Add("losses", summary.rate.losses);
  text.Add("draws", summary.rate.draws);
  if (summary.controlled) {
    const LengthControlFit& fit = *summary.controlled;
    text.Add("length_controlled_win_rate", fit.rate.percent);
    text.AddRaw("length_controlled_interval_95", interval(summary.controlled_interval));
    text.AddRaw("length_controlled_weights",
                JsonArray({JsonNumber(fit.weights.length), JsonNumber(fit.weights.difficulty),
                           JsonNumber(fit.weights.model)}));
    text.Add("length_controlled_table", calibration_->digest);
  }
  text.Add("unclear_verdicts", summary.unclear);
  text.Add("pairs_in_both_orders", summary.both_orders);
  text.Add("orders_disagree", summary.disagreements);
  text.Add("first_answer_share", summary.first_share);
  text.Add("verdict_token_mass", summary.mass);
  text.Add("model_length", summary.model_length);
  text.Add("baseline_length", summary.baseline_length);
  text.Add("prompt_tokens", summary.prompt_tokens);
  text.Add("answer_tokens", summary.answer_tokens);
  text.Add("cost", Cost(summary.prompt_tokens, summary.answer_tokens));
  return text.Text() + "\n";
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
  events_.Emit(PhaseEvent("train", line));
  events_.Emit(PhaseEvent(
      "train", absl::StrFormat("asked for %d verdicts: %d tokens read, %d written, cost %.4f",
                               asked_, asked_prompt_tokens_, asked_answer_tokens_,
                               Cost(asked_prompt_tokens_, asked_answer_tokens_))));
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
  // First: what lies beside a summary may be overwritten.
  FPO_RETURN_IF_ERROR(
      AsStorageError(WriteFileAtomically(SummaryPath(options_.out), SummaryText(summary))));
  FPO_RETURN_IF_ERROR(WriteAnnotations(verdicts));
  Tell(summary);
  EventMetrics metrics = {{"win_rate", summary.rate.percent},
                          {"judged", static_cast<double>(summary.rate.count)},
                          {"verdicts", static_cast<double>(orders_.size())},
                          {"verdicts_asked", static_cast<double>(asked_)},
                          {"prompt_tokens", static_cast<double>(asked_prompt_tokens_)},
                          {"answer_tokens", static_cast<double>(asked_answer_tokens_)},
                          {"cost", Cost(asked_prompt_tokens_, asked_answer_tokens_)}};
  if (summary.rate.count > 1) metrics["standard_error"] = summary.rate.standard_error;
  if (summary.controlled) {
    metrics["length_controlled_win_rate"] = summary.controlled->rate.percent;
  }
  events_.Emit(ResultEvent(options_.out, 0, std::move(metrics)));
  return absl::OkStatus();
}

absl::Status JudgeRun::Run() {
  FPO_RETURN_IF_ERROR(CheckOut());
  FPO_RETURN_IF_ERROR(ReadInputs());
  FPO_RETURN_IF_ERROR(Open());
  FPO_RETURN_IF_ERROR(MakeFolderOf(options_.out));
  FPO_RETURN_IF_ERROR(AskForMissing());
  return Finish();
}

}  // namespace

JudgeOptions JudgeOptionsOf(const JobConfig& job) {
  const JudgeSection& section = job.judge;
  JudgeOptions options;
  options.outputs = section.outputs;
  options.baseline = section.baseline;
  options.judge = section.url.empty() ? job.model.path : section.url;
  options.endpoint.key_file = section.key_file;
  options.endpoint.ca_file = section.ca_file;
  options.endpoint.known_as = section.known_as;
  options.endpoint.chat.model = section.model;
  options.endpoint.chat.max_tokens = section.max_answer_tokens;
  options.endpoint.parallel = section.parallel;
  options.endpoint.requests_per_minute = section.requests_per_minute;
  options.endpoint.retries = section.retries;
  options.prompt_file = section.prompt;
  options.tokens = section.verdicts;
  options.verdicts = section.store.empty() ? absl::StrCat(job.output, "/verdicts") : section.store;
  options.order = section.order;
  options.pairs_max = section.max_pairs.value_or(0);
  options.max_prompt_length = section.max_prompt_length;
  options.dtype = job.model.dtype;
  options.template_name = job.data.template_name;
  options.length_control = section.length_control;
  options.price_in = section.price_in;
  options.price_out = section.price_out;
  options.seed = job.seed;
  return options;
}

bool IsUrl(const std::string& judge) { return absl::StrContains(judge, "://"); }

absl::Status JudgeAnswers(const JudgeOptions& options, EventSink& events) {
  return JudgeRun(options, events).Run();
}

}  // namespace fpo::train
