#include "train/chat/chat_template.h"

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/status_macros.h"
#include "train/chat/built_in_turns.h"
#include "train/chat/jinja_turns.h"
#include "train/chat/python_trim.h"

namespace fpo::embedded {
extern const absl::string_view kGemmaTurnsJinja;
extern const absl::string_view kHaloTurnsJinja;
}  // namespace fpo::embedded

namespace fpo::train {
namespace {

using Kind = PreferenceRow::Kind;

std::string Contents(const std::vector<Message>& messages) {
  std::string text;
  for (const Message& message : messages) text += message.content;
  return text;
}

// "" when the messages are one response.
std::string WhyNoResponse(const std::vector<Message>& messages) {
  if (messages.empty() || messages[0].role != "assistant") return "bad_roles";
  if (messages.size() > 1) return "responses_of_several_turns";
  return PythonTrim(messages[0].content).empty() ? "empty_response" : "";
}

// The row as a conversation, or the reason why it is none.
std::string TakeConversation(const PreferenceRow& row, Conversation* out) {
  if (row.kind == Kind::kStrings) {
    *out = {{{"user", row.prompt}}, {"assistant", row.chosen}, std::nullopt};
    if (row.has_rejected) out->rejected = Message{"assistant", row.rejected};
  }
  const bool strings = row.kind == Kind::kStrings;
  const auto chosen = strings ? std::vector<Message>{out->chosen} : row.chosen_messages;
  std::string why = WhyNoResponse(chosen);
  if (!why.empty()) return why;
  if (!strings) *out = {row.prompt_messages, chosen[0], std::nullopt};
  if (row.has_rejected) {
    const auto rejected = strings ? std::vector<Message>{*out->rejected} : row.rejected_messages;
    why = WhyNoResponse(rejected);
    if (!why.empty()) return why;
    out->rejected = rejected[0];
  }
  const bool asked = !out->prompt.empty() && out->prompt.back().role == "user";
  return asked ? "" : "bad_roles";
}

}  // namespace

// The Jinja template, started when it is first needed: rows of ids need none.
struct ChatTemplate::Lazy {
  std::map<std::string, std::string> tokens;
  absl::Mutex mutex;
  std::unique_ptr<JinjaTurns> turns ABSL_GUARDED_BY(mutex);
  absl::Status status ABSL_GUARDED_BY(mutex);
};

absl::StatusOr<ChatTemplate> ChatTemplate::Create(const std::string& name,
                                                  const Tokenizer& tokenizer,
                                                  const std::string& model_folder) {
  const bool file = absl::EndsWith(name, ".jinja");
  if (name != "gemma" && name != "halo" && name != "none" && name != "auto" && !file) {
    return absl::InvalidArgumentError(absl::StrCat(
        "data.template ", name, " is none of auto, gemma, halo, none, or a FILE.jinja"));
  }
  ChatTemplate made(tokenizer);
  made.name_ = name;
  const int32_t bos = tokenizer.bos();
  if (bos >= 0 && bos < tokenizer.size()) made.bos_ = tokenizer.PieceOf(bos);
  made.start_of_turn_ = tokenizer.IdOf("<start_of_turn>");
  made.end_of_turn_ = tokenizer.IdOf("<end_of_turn>");
  std::vector<std::string> marks = {"<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"};
  made.marks_ = std::make_shared<const LiteralMarks>(std::move(marks));
  const bool has_pieces = made.start_of_turn_ && made.end_of_turn_;
  if (name == "gemma" && !has_pieces && tokenizer.present().ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("data.template gemma: the tokenizer of ", model_folder,
                     " has no pieces <start_of_turn> and <end_of_turn>; use template: none"));
  }
  FPO_RETURN_IF_ERROR(made.Choose(model_folder));
  return made;
}

absl::Status ChatTemplate::Choose(const std::string& model_folder) {
  const bool has_pieces = start_of_turn_ && end_of_turn_;
  absl::StatusOr<std::optional<TemplateSource>> own = FindTemplate(model_folder);
  model_has_turns_ = own.ok() && own->has_value();
  if (name_ == "none") return absl::OkStatus();
  if (name_ == "gemma" || name_ == "halo") {
    turns_ = name_ == "gemma" ? Turns::kGemma : Turns::kHalo;
    is_own_ =
        name_ == "gemma" && model_has_turns_ && Recognise((*own)->text) != KnownTemplate::kNone;
    strings_are_turns_ = true;
    return absl::OkStatus();
  }
  if (name_ != "auto") {
    FPO_ASSIGN_OR_RETURN(TemplateSource source, ReadTemplateFile(name_));
    return Use(std::move(source), model_folder);
  }
  FPO_RETURN_IF_ERROR(own.status());
  is_own_ = model_has_turns_;
  if (model_has_turns_) return Use(**std::move(own), model_folder);
  turns_ = has_pieces ? Turns::kGemma : Turns::kNone;
  return absl::OkStatus();
}

absl::Status ChatTemplate::Use(TemplateSource source, const std::string& model_folder) {
  source_ = std::move(source);
  strings_are_turns_ = true;
  const bool has_pieces = start_of_turn_ && end_of_turn_;
  known_ = Recognise(source_.text);
  if (known_ != KnownTemplate::kNone && has_pieces) {
    turns_ = Turns::kGemma;
    return absl::OkStatus();
  }
  turns_ = Turns::kJinja;
  lazy_ = std::make_shared<Lazy>();
  lazy_->tokens = NamedTokens(model_folder);
  const auto name = [&](const char* key, int32_t id) {
    if (id >= 0 && id < tokenizer_->size()) lazy_->tokens.emplace(key, tokenizer_->PieceOf(id));
  };
  name("bos_token", tokenizer_->bos());
  name("eos_token", tokenizer_->eos());
  name("pad_token", tokenizer_->pad());
  return absl::OkStatus();
}

absl::StatusOr<const JinjaTurns*> ChatTemplate::Jinja() const {
  const absl::MutexLock lock(&lazy_->mutex);
  if (lazy_->turns == nullptr && lazy_->status.ok()) {
    auto turns = JinjaTurns::Start(source_, lazy_->tokens, *tokenizer_);
    lazy_->status = turns.status();
    if (turns.ok()) lazy_->turns = *std::move(turns);
  }
  FPO_RETURN_IF_ERROR(lazy_->status);
  return lazy_->turns.get();
}

const JinjaTurns* ChatTemplate::StartedJinja() const {
  if (lazy_ == nullptr) return nullptr;
  const absl::MutexLock lock(&lazy_->mutex);
  return lazy_->turns.get();
}

bool ChatTemplate::UsesTurns(const PreferenceRow& row) const {
  if (row.kind == Kind::kText || row.kind == Kind::kIds) return false;
  return turns_ != Turns::kNone && (row.kind != Kind::kStrings || strings_are_turns_);
}

bool ChatTemplate::IsEnd(int32_t id) const {
  const JinjaTurns* jinja = StartedJinja();
  return id == tokenizer_->eos() || id == end_of_turn_ || (jinja != nullptr && id == jinja->end());
}

std::optional<int32_t> ChatTemplate::turn_start() const {
  if (turns_ == Turns::kGemma) return start_of_turn_;
  const JinjaTurns* jinja = StartedJinja();
  return jinja == nullptr ? std::nullopt : jinja->turn_start();
}

std::string ChatTemplate::turns_name() const {
  if (turns_ == Turns::kHalo) return "halo";
  if (turns_ != Turns::kJinja) return "gemma";
  return name_ == "auto" ? "own" : source_.name;
}

TurnRecord ChatTemplate::record() const {
  if (turns_ == Turns::kNone) return {};
  TurnRecord record{turns_name(), "", {}};
  if (turns_ == Turns::kJinja) {
    const JinjaTurns* jinja = StartedJinja();
    if (!is_own_) record.jinja = source_.text;
    if (jinja != nullptr && jinja->end()) record.ends.push_back(*jinja->end());
    return record;
  }
  const bool gemma = turns_ == Turns::kGemma;
  if (!is_own_) {
    record.jinja = std::string(gemma ? embedded::kGemmaTurnsJinja : embedded::kHaloTurnsJinja);
  }
  if (gemma && end_of_turn_) record.ends.push_back(*end_of_turn_);
  return record;
}

std::vector<std::string> ChatTemplate::warnings() const {
  const JinjaTurns* jinja = StartedJinja();
  return jinja == nullptr ? source_.warnings : jinja->warnings();
}

RenderedRow ChatTemplate::Plain(const PreferenceRow& row) const {
  const bool messages = row.kind == Kind::kMessages;
  RenderedRow out;
  const std::string prompt = messages ? Contents(row.prompt_messages) : row.prompt;
  // Text that was rendered elsewhere may have it already.
  const bool begun = absl::StartsWith(prompt, bos_);
  out.prompt.text = begun ? prompt : absl::StrCat(bos_, prompt);
  out.chosen.text = messages ? Contents(row.chosen_messages) : row.chosen;
  if (row.has_rejected) {
    out.rejected.text = messages ? Contents(row.rejected_messages) : row.rejected;
  }
  out.end = tokenizer_->eos();
  return out;
}

RenderedRow ChatTemplate::BuiltIn(Conversation conversation) const {
  const bool gemma = turns_ == Turns::kGemma;
  const std::string flag = FlagMarks(*marks_, &conversation);
  const auto prompt =
      gemma ? GemmaTurns(conversation.prompt, true) : HaloTurns(conversation.prompt, true);
  if (!prompt.ok()) return DroppedRow("bad_roles");
  const auto content = [&](const Message& message) {
    return LiteralMarks::Unflagged(gemma ? GemmaContent(message) : message.content, flag);
  };
  RenderedRow out;
  out.turns = true;
  out.system_folded =
      known_ == KnownTemplate::kGemma2 && conversation.prompt.front().role == "system";
  out.prompt = LiteralMarks::Unflagged(*prompt, flag);
  out.chosen = content(conversation.chosen);
  if (conversation.rejected) out.rejected = content(*conversation.rejected);
  out.end = gemma ? end_of_turn_.value_or(tokenizer_->eos()) : tokenizer_->eos();
  return out;
}

absl::StatusOr<std::vector<RenderedRow>> ChatTemplate::Render(
    absl::Span<const PreferenceRow> rows) const {
  std::vector<RenderedRow> out(rows.size());
  std::vector<Conversation> conversations;
  std::vector<size_t> places;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].drop_reason.empty() || !rows[i].pair_drop_reason.empty()) {
      out[i] = DroppedRow(rows[i].drop_reason);
      continue;
    }
    if (!UsesTurns(rows[i])) {
      out[i] = Plain(rows[i]);
      continue;
    }
    Conversation conversation;
    std::string why = TakeConversation(rows[i], &conversation);
    if (!why.empty()) {
      out[i] = DroppedRow(std::move(why));
    } else if (turns_ != Turns::kJinja) {
      out[i] = BuiltIn(std::move(conversation));
    } else {
      conversations.push_back(std::move(conversation));
      places.push_back(i);
    }
  }
  if (places.empty()) return out;
  FPO_ASSIGN_OR_RETURN(const JinjaTurns* jinja, Jinja());
  FPO_ASSIGN_OR_RETURN(std::vector<RenderedRow> turns, jinja->Render(std::move(conversations)));
  for (size_t i = 0; i < places.size(); ++i) out[places[i]] = std::move(turns[i]);
  return out;
}

absl::StatusOr<std::vector<RenderedRow>> ChatTemplate::RenderPrompts(
    std::vector<std::vector<Message>> prompts) const {
  if (turns_ == Turns::kJinja) {
    FPO_ASSIGN_OR_RETURN(const JinjaTurns* jinja, Jinja());
    return jinja->RenderPrompts(std::move(prompts));
  }
  std::vector<RenderedRow> rows;
  for (std::vector<Message>& messages : prompts) {
    if (turns_ == Turns::kNone) {
      PreferenceRow row;
      row.kind = Kind::kMessages;
      row.prompt_messages = std::move(messages);
      rows.push_back(Plain(row));
      continue;
    }
    const std::string flag = marks_->Flag(&messages);
    const auto text =
        turns_ == Turns::kGemma ? GemmaTurns(messages, true) : HaloTurns(messages, true);
    rows.push_back(text.ok() ? RenderedRow() : DroppedRow("bad_roles"));
    if (!text.ok()) continue;
    rows.back().turns = true;
    rows.back().prompt = LiteralMarks::Unflagged(*text, flag);
  }
  return rows;
}

absl::StatusOr<RenderedRow> ChatTemplate::RenderPrompt(const std::string& text) const {
  if (turns_ != Turns::kNone && strings_are_turns_) {
    FPO_ASSIGN_OR_RETURN(std::vector<RenderedRow> rows, RenderPrompts({{{"user", text}}}));
    return std::move(rows[0]);
  }
  PreferenceRow row;
  row.prompt = text;
  return Plain(row);
}

std::vector<int32_t> ChatTemplate::TurnEnds() const {
  std::vector<int32_t> ends;
  if (turns_ == Turns::kGemma && end_of_turn_) ends.push_back(*end_of_turn_);
  const JinjaTurns* jinja = StartedJinja();
  if (jinja != nullptr && jinja->end()) ends.push_back(*jinja->end());
  return ends;
}

absl::StatusOr<RenderedRow> ChatTemplate::Render(const PreferenceRow& row) const {
  FPO_ASSIGN_OR_RETURN(std::vector<RenderedRow> rows, Render(absl::MakeConstSpan(&row, 1)));
  return std::move(rows[0]);
}

}  // namespace fpo::train
