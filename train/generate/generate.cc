#include "train/generate/generate.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/files/durable_file.h"
#include "common/hash.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "train/device/device_name.h"
#include "train/events/exit_status.h"
#include "train/events/stop_signal.h"
#include "train/generate/answer_file.h"
#include "train/generate/answer_rows.h"
#include "train/generate/batch_generator.h"
#include "train/generate/model_for_generation.h"
#include "train/generate/prompt_rows.h"

namespace fpo::train {
namespace {

// The ids of a prompt's first question.
struct Prepared {
  std::vector<int32_t> ids;
  bool turns = false;
};

absl::Status About(const PromptRow& row, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(row.where, ": ", problem));
}

std::string WhyDropped(const RenderedRow& rendered) {
  if (rendered.drop_reason == "bad_roles") {
    return "its roles do not alternate between user and assistant, ending with the user";
  }
  return absl::StrCat("the chat template refuses it", rendered.drop_detail.empty() ? "" : ": ",
                      rendered.drop_detail);
}

class GenerateRun final : public AnswerQueue {
 public:
  GenerateRun(const GenerateOptions& options, PromptFormat format, EventSink& events)
      : options_(options), section_(options.section), format_(format), events_(events) {}

  absl::Status Run();

 private:
  absl::Status Prepare(GenerationModel* model);
  absl::Status PrepareRow(const PromptRow& row, RenderedRow rendered);
  absl::StatusOr<std::vector<RenderedRow>> Rendered() const;
  std::string Settings() const;
  absl::Status FindMissing();
  absl::Status Finish(absl::Time start);
  absl::Status PutInOrder();

  std::optional<AnswerRequest> Next() override;
  absl::StatusOr<std::optional<AnswerRequest>> Done(GeneratedAnswer answer) override;
  absl::StatusOr<std::optional<AnswerRequest>> AskNext(const PromptRow& row,
                                                       GeneratedAnswer answer);
  bool ShouldStop() override;
  AnswerRequest RequestFor(int64_t index, std::vector<int32_t> ids, bool turns) const;

  const GenerateOptions& options_;
  const GenerateSection& section_;
  const PromptFormat format_;
  EventSink& events_;
  GenerationModel* model_ = nullptr;
  PromptFile file_;
  std::vector<Prepared> prepared_;
  AnswerNames names_;
  std::unique_ptr<AnswerFile> answers_;
  std::vector<int64_t> place_;  // of each prompt's row in the file of answers; -1: missing
  int64_t next_ = 0;
  std::map<int64_t, AnswerTurns> turns_;                   // of prompts in progress
  std::map<int64_t, std::vector<Message>> conversations_;  // the same, with the answers so far
  int64_t rows_ = 0, tokens_ = 0, cut_ = 0;
};

absl::StatusOr<std::vector<RenderedRow>> GenerateRun::Rendered() const {
  const ChatTemplate& chat = model_->chat_template();
  std::vector<RenderedRow> rendered(file_.rows.size());
  std::vector<std::vector<Message>> conversations;
  std::vector<size_t> places;
  for (size_t i = 0; i < file_.rows.size(); ++i) {
    const PromptRow& row = file_.rows[i];
    if (row.kind == PromptRow::Kind::kText) {
      FPO_ASSIGN_OR_RETURN(rendered[i], chat.RenderPrompt(row.text));
    } else if (row.kind == PromptRow::Kind::kMessages) {
      conversations.push_back(row.messages);
      places.push_back(i);
    }
  }
  FPO_ASSIGN_OR_RETURN(std::vector<RenderedRow> turns,
                       chat.RenderPrompts(std::move(conversations)));
  for (size_t i = 0; i < places.size(); ++i) rendered[places[i]] = std::move(turns[i]);
  return rendered;
}

absl::Status GenerateRun::PrepareRow(const PromptRow& row, RenderedRow rendered) {
  Prepared prepared{row.ids, rendered.turns};
  if (row.kind != PromptRow::Kind::kIds) {
    if (!rendered.drop_reason.empty()) return About(row, WhyDropped(rendered));
    FPO_RETURN_IF_ERROR(model_->tokenizer().present());
    const auto ids = model_->tokenizer().Encode(rendered.prompt.text, rendered.prompt.literal);
    if (!ids.ok()) return About(row, ids.status().message());
    prepared.ids = *ids;
  }
  if (prepared.ids.empty()) return About(row, "its prompt has no token");
  const auto size = static_cast<int64_t>(prepared.ids.size());
  if (size > section_.max_prompt_length) {
    return About(row,
                 absl::StrCat("its prompt has ", size, " tokens, more than ", "max_prompt_length, ",
                              section_.max_prompt_length, ", allows; nothing is cut"));
  }
  const int32_t limit = model_->tokenizer().id_limit();
  for (const int32_t id : prepared.ids) {
    if (id >= 0 && id < limit) continue;
    return About(row, absl::StrCat("id ", id, " is outside the vocabulary of ", limit));
  }
  prepared_.push_back(std::move(prepared));
  return absl::OkStatus();
}

absl::Status GenerateRun::Prepare(GenerationModel* model) {
  model_ = model;
  FPO_ASSIGN_OR_RETURN(std::vector<RenderedRow> rendered, Rendered());
  for (size_t i = 0; i < rendered.size(); ++i) {
    FPO_RETURN_IF_ERROR(PrepareRow(file_.rows[i], std::move(rendered[i])));
  }
  std::vector<std::string> notes = file_.notes;
  for (const std::string& warning : model->tokenizer().warnings()) notes.push_back(warning);
  for (const std::string& warning : model->chat_template().warnings()) notes.push_back(warning);
  const bool turns = std::any_of(prepared_.begin(), prepared_.end(),
                                 [](const Prepared& prompt) { return prompt.turns; });
  if (turns && !model->chat_template().model_has_turns() && options_.template_name == "auto") {
    notes.push_back(absl::StrCat("the model ", options_.model,
                                 " has no chat template; messages get Gemma's turns, which it may "
                                 "never have seen (--template none joins them as text)"));
  }
  for (const std::string& note : notes) events_.Emit(WarningEvent(note));
  return absl::OkStatus();
}

// Everything that decides what an answer is. The ids stand for tokenizer and template.
std::string GenerateRun::Settings() const {
  Sha256 prompts;
  for (size_t i = 0; i < prepared_.size(); ++i) {
    std::string text = absl::StrCat(prepared_[i].turns, ":");
    for (const int32_t id : prepared_[i].ids) absl::StrAppend(&text, id, ",");
    for (const std::string& question : file_.rows[i].next_questions) {
      absl::StrAppend(&text, question.size(), ":", question);
    }
    prompts.Update(text + "\n");
  }
  std::string stops;
  for (const int32_t id : model_->Stops(true))
    absl::StrAppend(&stops, stops.empty() ? "" : ",", id);
  JsonObject settings;
  settings.Add("model", model_->digest());
  settings.Add("prompts", ToHex(prompts.Finish()));
  settings.Add("format", section_.format);
  settings.Add("name", names_.generator);
  settings.Add("dtype", options_.dtype);
  settings.Add("stops", stops);
  settings.Add("max_new_tokens", section_.max_new_tokens);
  settings.Add("temperature", section_.temperature);
  settings.Add("top_k", section_.top_k);
  settings.Add("top_p", section_.top_p);
  settings.Add("seed", section_.temperature > 0 ? options_.seed : 0);
  return settings.Text();
}

// Which prompts have an answer already.
absl::Status GenerateRun::FindMissing() {
  std::map<std::string, std::vector<int64_t>> waiting;  // in reverse order
  for (auto row = file_.rows.rbegin(); row != file_.rows.rend(); ++row) {
    waiting[KeyOfPrompt(*row, format_)].push_back(row->index);
  }
  place_.assign(file_.rows.size(), -1);
  for (size_t i = 0; i < answers_->rows().size(); ++i) {
    absl::StatusOr<std::string> key = KeyOfAnswer(answers_->rows()[i], format_);
    const auto known = key.ok() ? waiting.find(*key) : waiting.end();
    if (known == waiting.end() || known->second.empty()) {
      return absl::DataLossError(absl::StrCat(options_.out, ": answer ", i + 1,
                                              " belongs to none of the prompts, or to one that "
                                              "has an answer before it; remove that line"));
    }
    place_[static_cast<size_t>(known->second.back())] = static_cast<int64_t>(i);
    known->second.pop_back();
  }
  rows_ = static_cast<int64_t>(answers_->rows().size());
  if (rows_ == 0) return absl::OkStatus();
  events_.Emit(PhaseEvent("train", absl::StrCat(rows_, " of ", file_.rows.size(),
                                                " answers are in ", options_.out, " already")));
  return absl::OkStatus();
}

AnswerRequest GenerateRun::RequestFor(int64_t index, std::vector<int32_t> ids, bool turns) const {
  AnswerRequest request;
  request.index = index;
  request.prompt = std::move(ids);
  request.stops = model_->Stops(turns);
  request.max_new_tokens = section_.max_new_tokens;
  request.sampling = {section_.temperature, section_.top_k, section_.top_p};
  request.random = AnswerRandom(static_cast<uint64_t>(options_.seed), static_cast<uint64_t>(index));
  return request;
}

std::optional<AnswerRequest> GenerateRun::Next() {
  while (next_ < static_cast<int64_t>(place_.size()) && place_[static_cast<size_t>(next_)] >= 0) {
    ++next_;
  }
  if (next_ == static_cast<int64_t>(place_.size())) return std::nullopt;
  const Prepared& prompt = prepared_[static_cast<size_t>(next_)];
  return RequestFor(next_++, prompt.ids, prompt.turns);
}

absl::StatusOr<std::optional<AnswerRequest>> GenerateRun::Done(GeneratedAnswer answer) {
  const PromptRow& row = file_.rows[static_cast<size_t>(answer.index)];
  AnswerTurns& turns = turns_[row.index];
  std::string text;
  if (model_->tokenizer().present().ok()) {
    FPO_ASSIGN_OR_RETURN(text, model_->TextOf(answer.ids));
  }
  turns.texts.push_back(std::move(text));
  turns.ids.push_back(answer.ids);
  turns.stopped &= answer.stopped;
  tokens_ += static_cast<int64_t>(answer.ids.size()) + (answer.stopped ? 1 : 0);
  if (turns.texts.size() <= row.next_questions.size()) return AskNext(row, std::move(answer));
  cut_ += turns.stopped ? 0 : 1;
  names_.unix_seconds = absl::ToUnixSeconds(absl::Now());
  FPO_RETURN_IF_ERROR(answers_->Append(AnswerRow(row, turns, names_)));
  place_[static_cast<size_t>(row.index)] = rows_++;
  turns_.erase(row.index);
  conversations_.erase(row.index);
  AdvanceWork();
  return std::optional<AnswerRequest>();
}

absl::StatusOr<std::optional<AnswerRequest>> GenerateRun::AskNext(const PromptRow& row,
                                                                  GeneratedAnswer answer) {
  const AnswerTurns& turns = turns_[row.index];
  std::vector<Message>& messages = conversations_[row.index];
  if (messages.empty()) messages = row.messages;
  messages.push_back({"assistant", turns.texts.back()});
  messages.push_back({"user", row.next_questions[turns.texts.size() - 1]});
  FPO_ASSIGN_OR_RETURN(std::vector<RenderedRow> rendered,
                       model_->chat_template().RenderPrompts({messages}));
  if (!rendered[0].drop_reason.empty()) return About(row, WhyDropped(rendered[0]));
  FPO_ASSIGN_OR_RETURN(
      std::vector<int32_t> ids,
      model_->tokenizer().Encode(rendered[0].prompt.text, rendered[0].prompt.literal));
  AnswerRequest request = RequestFor(row.index, std::move(ids), rendered[0].turns);
  request.random = answer.random;
  request.sequence = std::move(answer.sequence);
  return std::optional<AnswerRequest>(std::move(request));
}

bool GenerateRun::ShouldStop() {
  if (options_.commands != nullptr) {
    const auto command = options_.commands->Poll();
    if (command.ok() && command->has_value() && (*command)->kind == "stop") RequestStop();
  }
  return StopRequested();
}

// The file has the order of the prompts in the end, whatever ended first.
absl::Status GenerateRun::PutInOrder() {
  std::vector<size_t> order(place_.begin(), place_.end());
  if (std::is_sorted(order.begin(), order.end())) return absl::OkStatus();
  return answers_->Reorder(order);
}

absl::Status GenerateRun::Finish(absl::Time start) {
  const auto total = static_cast<int64_t>(file_.rows.size());
  if (rows_ < total) {
    return FailWith(ExitCode::kStopped,
                    absl::StrCat("stopped on request with ", rows_, " of ", total, " answers in ",
                                 options_.out, "; the same command goes on"));
  }
  FPO_RETURN_IF_ERROR(PutInOrder());
  if (cut_ > 0) {
    events_.Emit(WarningEvent(absl::StrCat(
        cut_, " of ", total, " answers were cut at max_new_tokens, ", section_.max_new_tokens)));
  }
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  events_.Emit(PhaseEvent(
      "train", absl::StrFormat("%d tokens in %.2f s: %.1f tokens/s", tokens_, seconds,
                               seconds > 0 ? static_cast<double>(tokens_) / seconds : 0.0)));
  EventMetrics metrics = {{"answers", static_cast<double>(total)},
                          {"answers_cut", static_cast<double>(cut_)},
                          {"tokens", static_cast<double>(tokens_)},
                          {"seconds", seconds},
                          {"tokens_per_second", seconds > 0 ? tokens_ / seconds : 0}};
  events_.Emit(ResultEvent(options_.out, 0, std::move(metrics), DeviceTexts(options_.device)));
  return absl::OkStatus();
}

absl::Status GenerateRun::Run() {
  FPO_ASSIGN_OR_RETURN(file_,
                       ReadPromptFile(section_.prompts, format_, section_.max_prompts.value_or(0)));
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<GenerationModel> model,
                       GenerationModel::Open({options_.model, options_.dtype,
                                              options_.template_name, options_.device}));
  FPO_RETURN_IF_ERROR(Prepare(model.get()));
  names_.format = format_;
  names_.generator = options_.name;
  if (names_.generator.empty()) {
    names_.generator = std::filesystem::weakly_canonical(options_.model).filename().string();
  }
  FPO_RETURN_IF_ERROR(AsStorageError(MakeParentFolder(options_.out)));
  const std::string settings = Settings();
  names_.settings = ToHex(Sha256Of(settings));
  FPO_ASSIGN_OR_RETURN(answers_, AnswerFile::Open(options_.out, settings));
  FPO_RETURN_IF_ERROR(FindMissing());
  const auto total = static_cast<int64_t>(file_.rows.size());
  absl::Time start = absl::Now();
  if (rows_ < total) {
    FPO_RETURN_IF_ERROR(model->Load(WarnOn(events_)));
    start = absl::Now();
    Work work({"train", "", 0, total, "answers"});
    work.SetDone(rows_);
    const BatchOptions batch{section_.batch, 128, model->choices()};
    FPO_RETURN_IF_ERROR(GenerateAnswers(model->decoder(), batch, *this));
  }
  return Finish(start);
}

}  // namespace

absl::Status GenerateFile(const GenerateOptions& options, EventSink& events) {
  FPO_ASSIGN_OR_RETURN(const PromptFormat format, ParsePromptFormat(options.section.format));
  return GenerateRun(options, format, events).Run();
}

}  // namespace fpo::train
