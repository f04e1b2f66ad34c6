#include "train/judge/rate_answers.h"

#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/evaluation/rating.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "train/judge/judge_output.h"
#include "train/judge/verdict_asker.h"
#include "train/verdicts/rated_turns.h"
#include "train/verdicts/rating_prompt.h"

namespace fpo::train {
namespace {

// The conversation itself is what the verdict depends on.
std::string KeyOfConversation(const std::string& judge, const JudgeConversation& conversation) {
  std::vector<std::string> messages;
  for (const JudgeMessage& message : conversation) {
    messages.push_back(JsonArray({JsonQuote(message.role), JsonQuote(message.text)}));
  }
  return VerdictKey(judge, {JsonArray(messages), "", ""});
}

class RatingRun {
 public:
  RatingRun(const JudgeOptions& options, EventSink& events) : options_(options), events_(events) {}
  absl::Status Run();

 private:
  JudgeConversation ConversationOf(const RatedTurn& turn) const {
    return FillRatingPrompt(PromptFor(prompts_, turn), turn);
  }
  absl::Status AskForAll();
  void CollectRatings();
  absl::Status Finish();
  std::string RowText(size_t place) const;
  std::string ScoreText(const MtBenchScore& score) const;
  std::string SummaryText(const MtBenchScore& score) const;

  const JudgeOptions& options_;
  EventSink& events_;
  RatedTurns rated_;
  RatingPrompts prompts_;
  std::unique_ptr<Judge> judge_;
  std::unique_ptr<VerdictStore> store_;
  std::optional<VerdictAsker> asker_;
  std::vector<std::string> keys_;
  std::vector<TurnRatings> questions_;
  std::map<std::string, std::vector<TurnRatings>> categories_;
  int64_t missing_ = 0, prompt_tokens_ = 0, answer_tokens_ = 0;
};

absl::Status RatingRun::AskForAll() {
  for (const RatedTurn& turn : rated_.turns) {
    keys_.push_back(KeyOfConversation(judge_->identity(), ConversationOf(turn)));
  }
  return asker_->AskForMissing(keys_,
                               [&](size_t place) { return ConversationOf(rated_.turns[place]); });
}

// Turns follow their question.
void RatingRun::CollectRatings() {
  for (size_t i = 0; i < rated_.turns.size();) {
    TurnRatings question;
    const RatedTurn& first = rated_.turns[i];
    for (; i < rated_.turns.size() && rated_.turns[i].question == first.question; ++i) {
      const Verdict& verdict = *store_->Find(keys_[i]);
      (rated_.turns[i].turn == 1 ? question.first : question.second) = verdict.rating;
      missing_ += verdict.rating ? 0 : 1;
      prompt_tokens_ += verdict.prompt_tokens;
      answer_tokens_ += verdict.answer_tokens;
    }
    questions_.push_back(question);
    if (!first.category.empty()) categories_[first.category].push_back(question);
  }
}

std::string RatingRun::RowText(size_t place) const {
  const RatedTurn& turn = rated_.turns[place];
  const Verdict& verdict = *store_->Find(keys_[place]);
  JsonObject row;
  const bool is_number = turn.question.find_first_not_of("0123456789") == std::string::npos;
  row.AddRaw("question_id", is_number ? turn.question : JsonQuote(turn.question));
  row.Add("model", rated_.model);
  row.AddRaw("judge",
             JsonArray({JsonQuote(judge_->name()), JsonQuote(PromptFor(prompts_, turn).name)}));
  row.Add("user_prompt", ConversationOf(turn).back().text);
  row.Add("judgment", verdict.words);
  row.AddRaw("score", verdict.rating ? JsonNumber(*verdict.rating) : "null");
  row.Add("turn", turn.turn);
  row.Add("tstamp", verdict.unix_seconds);
  return row.Text();
}

std::string RatingRun::ScoreText(const MtBenchScore& score) const {
  JsonObject text;
  text.Add("average", score.average);
  text.Add("first_turn", score.first);
  text.Add("second_turn", score.second);
  text.Add("ratings", score.ratings);
  return text.Text();
}

std::string RatingRun::SummaryText(const MtBenchScore& score) const {
  const BootstrapOptions no_rounds{1, 0.95, 0};
  JsonObject text, categories;
  text.Add("model", rated_.model);
  text.AddRaw("judge", judge_->identity());
  text.Add("questions", static_cast<int64_t>(questions_.size()));
  text.Add("average", score.average);
  text.AddRaw("average_interval_95",
              JsonArray({JsonNumber(score.interval.low), JsonNumber(score.interval.high)}));
  text.Add("first_turn", score.first);
  text.Add("second_turn", score.second);
  text.Add("ratings", score.ratings);
  text.Add("unclear_verdicts", missing_);
  for (const auto& [name, questions] : categories_) {
    categories.AddRaw(name, ScoreText(MtBenchScoreOf(questions, no_rounds)));
  }
  text.AddRaw("categories", categories.Text());
  text.Add("prompt_tokens", prompt_tokens_);
  text.Add("answer_tokens", answer_tokens_);
  text.Add("cost", CostOf(options_, prompt_tokens_, answer_tokens_));
  return text.Text() + "\n";
}

absl::Status RatingRun::Finish() {
  CollectRatings();
  const BootstrapOptions bootstrap{options_.bootstrap, 0.95, static_cast<uint64_t>(options_.seed)};
  const MtBenchScore score = MtBenchScoreOf(questions_, bootstrap);
  if (score.ratings == 0) {
    return absl::InvalidArgumentError(
        "the judge gave no rating at all, as in [[7]]: it may be cut off (--max-answer-tokens), or "
        "its instructions ask for something else; its words are in the store");
  }
  std::vector<std::string> rows;
  for (size_t i = 0; i < rated_.turns.size(); ++i) rows.push_back(RowText(i));
  FPO_RETURN_IF_ERROR(WriteJudgeOut(options_.out, SummaryText(score), rows));
  const double cost = CostOf(options_, asker_->prompt_tokens(), asker_->answer_tokens());
  std::string line =
      absl::StrFormat("%s: %.2f of 10 (95 %%: %.2f to %.2f), first turns %.2f", rated_.model,
                      score.average, score.interval.low, score.interval.high, score.first);
  if (!std::isnan(score.second)) absl::StrAppendFormat(&line, ", second turns %.2f", score.second);
  events_.Emit(PhaseEvent("train", line));
  events_.Emit(PhaseEvent(
      "train",
      absl::StrFormat("asked for %d verdicts: %d tokens read, %d written, cost %.4f",
                      asker_->asked(), asker_->prompt_tokens(), asker_->answer_tokens(), cost)));
  if (missing_ > 0) {
    events_.Emit(WarningEvent(absl::StrCat(missing_, " of ", rated_.turns.size(),
                                           " verdicts hold no rating and count nowhere")));
  }
  EventMetrics metrics = {{"average_rating", score.average},
                          {"first_turn_rating", score.first},
                          {"ratings", static_cast<double>(score.ratings)},
                          {"verdicts", static_cast<double>(rated_.turns.size())},
                          {"verdicts_asked", static_cast<double>(asker_->asked())},
                          {"prompt_tokens", static_cast<double>(asker_->prompt_tokens())},
                          {"answer_tokens", static_cast<double>(asker_->answer_tokens())},
                          {"cost", cost}};
  if (std::isnan(score.first)) metrics.erase("first_turn_rating");
  if (!std::isnan(score.second)) metrics["second_turn_rating"] = score.second;
  events_.Emit(ResultEvent(options_.out, 0, std::move(metrics)));
  return absl::OkStatus();
}

absl::Status RatingRun::Run() {
  FPO_RETURN_IF_ERROR(
      CheckJudgeOut(options_.out, {options_.outputs, options_.questions, options_.references}));
  FPO_ASSIGN_OR_RETURN(rated_,
                       ReadRatedTurns({options_.outputs, options_.questions, options_.references},
                                      options_.pairs_max));
  for (const std::string& note : rated_.notes) events_.Emit(WarningEvent(note));
  prompts_ = DefaultRatingPrompts();
  if (!options_.prompt_file.empty()) {
    FPO_ASSIGN_OR_RETURN(prompts_, ReadRatingPrompts(options_.prompt_file));
  }
  FPO_ASSIGN_OR_RETURN(judge_, OpenJudge(options_, AsJudgePrompt(prompts_), events_));
  FPO_ASSIGN_OR_RETURN(store_, OpenVerdicts(options_, events_));
  asker_.emplace(*judge_, *store_, events_, options_.commands);
  FPO_RETURN_IF_ERROR(MakeFolderOf(options_.out));
  FPO_RETURN_IF_ERROR(AskForAll());
  return Finish();
}

}  // namespace

absl::Status RateAnswers(const JudgeOptions& options, EventSink& events) {
  return RatingRun(options, events).Run();
}

}  // namespace fpo::train
