#include "train/chat/jinja_turns.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "train/chat/python_trim.h"

namespace fpo::train {
namespace {

// Contents of the trial conversations: words that no template writes.
constexpr char kSystem[] = "qzSystemqz";
constexpr char kQuestion[] = "qzQuestionqz";
constexpr char kAnswer[] = "qzAnswerqz";
constexpr char kNext[] = "qzNextqz";
constexpr size_t kTextsPerRow = 4;  // prompt, prompt without its end, both responses

bool IsBoundary(const std::string& text, size_t at) {
  return at >= text.size() || (static_cast<uint8_t>(text[at]) & 0xC0) != 0x80;
}

size_t CommonLength(const std::string& a, const std::string& b) {
  const size_t shorter = std::min(a.size(), b.size());
  size_t at = 0;
  while (at < shorter && a[at] == b[at]) ++at;
  while (at > 0 && !(IsBoundary(a, at) && IsBoundary(b, at))) --at;
  return at;
}

JinjaRequest Ask(std::vector<Message> messages, bool asks) { return {std::move(messages), asks}; }

}  // namespace

// One response, taken from the text of the whole conversation.
struct JinjaTurns::Side {
  std::string drop_reason, drop_detail;
  std::string prompt, answer;
  bool off_prompt = false;
  bool ended = false;  // the answer has its end mark
};

absl::StatusOr<std::unique_ptr<JinjaTurns>> JinjaTurns::Start(
    const TemplateSource& source, const std::map<std::string, std::string>& tokens,
    const Tokenizer& tokenizer) {
  std::unique_ptr<JinjaTurns> made(new JinjaTurns(tokenizer, source.name));
  made->warnings_ = source.warnings;
  JinjaTemplate::Options options;
  options.text = source.text;
  options.name = source.name;
  options.tokens = tokens;
  FPO_ASSIGN_OR_RETURN(made->jinja_, JinjaTemplate::Start(std::move(options)));
  FPO_RETURN_IF_ERROR(made->Probe(tokens));
  return made;
}

absl::Status JinjaTurns::Probe(const std::map<std::string, std::string>& tokens) {
  const Message system{"system", kSystem}, question{"user", kQuestion},
      answer{"assistant", kAnswer}, next{"user", kNext};
  const Message parts{"user", kQuestion, {kQuestion}};
  FPO_ASSIGN_OR_RETURN(
      const std::vector<JinjaText> texts,
      jinja_->Render({Ask({question}, false), Ask({question}, true), Ask({question, answer}, false),
                      Ask({question, answer, next}, false), Ask({system, question}, false),
                      Ask({parts}, false)},
                     /*with_parts=*/true));
  const std::string& turn = texts[2].text;
  const size_t at = turn.rfind(kAnswer);
  if (!texts[2].error.empty() || at == std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("the chat template ", name_,
                     texts[2].error.empty()
                         ? " leaves out what the assistant says"
                         : absl::StrCat(" refuses a question and its answer: ", texts[2].error)));
  }
  takes_parts_ = texts[5].error.empty() && texts[5].text == texts[0].text;
  const size_t behind = texts[3].text.rfind(kAnswer);
  suffix_ = turn.substr(at + sizeof(kAnswer) - 1);
  LearnMarks(turn,
             behind == std::string::npos ? "" : texts[3].text.substr(behind + sizeof(kAnswer) - 1));
  NoteSpelledOutMarks(texts[3].error.empty() ? texts[3].text : turn);
  if (texts[0].text == texts[1].text && texts[1].error.empty() && texts[2].spans.empty()) {
    warnings_.push_back(absl::StrCat("the chat template ", name_,
                                     " ignores add_generation_prompt, so the model learns to write "
                                     "the header of its own turn"));
  }
  if (texts[4].error.empty() && !absl::StrContains(texts[4].text, kSystem)) {
    warnings_.push_back(absl::StrCat("the chat template ", name_, " leaves out system messages"));
  }
  const auto bos = tokens.find("bos_token");
  if (bos != tokens.end() && !absl::StartsWith(turn, bos->second)) {
    warnings_.push_back(absl::StrCat("the chat template ", name_, " does not begin with ",
                                     bos->second, ", which the model was trained with"));
  }
  return absl::OkStatus();
}

// `turn`: a question and its answer; `next`: what follows the answer when a question comes next.
void JinjaTurns::LearnMarks(const std::string& turn, const std::string& next) {
  std::vector<std::string> marks = MarksIn(absl::StrCat(turn, next));
  for (const int32_t id : {tokenizer_.bos(), tokenizer_.eos()}) {
    if (id >= 0 && id < tokenizer_.size()) marks.push_back(tokenizer_.PieceOf(id));
  }
  const std::vector<std::string> ending = MarksIn(suffix_);
  if (!ending.empty()) {
    end_mark_ = suffix_.substr(0, suffix_.rfind(ending.back()) + ending.back().size());
    end_ = tokenizer_.IdOf(ending.back());
  }
  if (absl::StartsWith(next, suffix_)) {
    const std::vector<std::string> header = MarksIn(next.substr(suffix_.size()));
    if (!header.empty()) turn_start_ = tokenizer_.IdOf(header.front());
  }
  marks_ = std::make_unique<LiteralMarks>(std::move(marks));
}

// The added tokens in a text, but for white space.
std::vector<std::string> JinjaTurns::MarksIn(const std::string& text) const {
  std::vector<std::string> marks;
  const auto ids = tokenizer_.Encode(text);
  if (!ids.ok()) return marks;
  for (const int32_t id : *ids) {
    const std::string& piece = tokenizer_.PieceOf(id);
    if (tokenizer_.IsAdded(id) && !PythonTrim(piece).empty()) marks.push_back(piece);
  }
  return marks;
}

void JinjaTurns::NoteSpelledOutMarks(const std::string& text) {
  std::vector<std::string> lost;
  for (size_t at = text.find("<|"); at != std::string::npos; at = text.find("<|", at + 1)) {
    const size_t end = text.find("|>", at);
    if (end == std::string::npos || end - at > 40) continue;
    const std::string mark = text.substr(at, end + 2 - at);
    const std::optional<int32_t> id = tokenizer_.IdOf(mark);
    if (id || std::find(lost.begin(), lost.end(), mark) != lost.end()) continue;
    lost.push_back(mark);
  }
  if (lost.empty()) return;
  warnings_.push_back(absl::StrCat("the chat template ", name_, " writes ",
                                   absl::StrJoin(lost, ", "),
                                   ", which the tokenizer has no token for: spelled out"));
}

std::vector<std::string> JinjaTurns::warnings() const {
  std::vector<std::string> all = warnings_;
  if (jinja_->uses_date()) {
    all.push_back(absl::StrCat("the chat template ", name_,
                               " writes today's date; 26 July 2024 stands in its place, so that "
                               "equal rows give equal tokens on every day"));
  }
  return all;
}

// Removes what follows the end mark.
void JinjaTurns::EndAnswer(std::string* answer, bool* ended) const {
  *ended = !end_mark_.empty() && absl::EndsWith(*answer, suffix_);
  if (*ended) answer->resize(answer->size() - suffix_.size() + end_mark_.size());
}

JinjaTurns::Side JinjaTurns::Split(const JinjaText& prompt, const JinjaText& plain,
                                   const JinjaText& full) const {
  Side side;
  for (const JinjaText* text : {&prompt, &full}) {
    if (text->error.empty()) continue;
    side.drop_reason = "template_refused";
    side.drop_detail = text->error;
    return side;
  }
  size_t begin = prompt.text.size();
  if (!full.spans.empty()) {
    begin = full.spans.back().first;
    side.off_prompt = full.text.substr(0, begin) != prompt.text;
  } else if (!absl::StartsWith(full.text, prompt.text)) {
    begin = CommonLength(prompt.text, full.text);
    side.off_prompt = true;
    if (!plain.error.empty() || begin < plain.text.size() ||
        !absl::StartsWith(full.text, plain.text)) {
      side.drop_reason = "template_rewrites_prompt";
      return side;
    }
  }
  side.prompt = full.text.substr(0, begin);
  side.answer = full.text.substr(begin);
  EndAnswer(&side.answer, &side.ended);
  if (!full.spans.empty() && !side.ended) {
    side.answer = full.text.substr(begin, full.spans.back().second - begin);
  }
  return side;
}

// `texts`: kTextsPerRow of one row.
RenderedRow JinjaTurns::Compose(absl::Span<const JinjaText> texts, bool two,
                                const std::string& flag) const {
  const Side chosen = Split(texts[0], texts[1], texts[2]);
  if (!chosen.drop_reason.empty()) return DroppedRow(chosen.drop_reason, chosen.drop_detail);
  Side rejected;
  if (two) rejected = Split(texts[0], texts[1], texts[3]);
  if (!rejected.drop_reason.empty()) return DroppedRow(rejected.drop_reason, rejected.drop_detail);
  if (two && (chosen.prompt != rejected.prompt || chosen.ended != rejected.ended)) {
    return DroppedRow("template_rewrites_prompt");
  }
  RenderedRow row;
  row.turns = true;
  row.off_prompt = chosen.off_prompt || rejected.off_prompt;
  row.prompt = LiteralMarks::Unflagged(chosen.prompt, flag);
  row.chosen = LiteralMarks::Unflagged(chosen.answer, flag);
  if (two) row.rejected = LiteralMarks::Unflagged(rejected.answer, flag);
  if (!chosen.ended && end_mark_.empty()) row.end = tokenizer_.eos();
  return row;
}

absl::StatusOr<std::vector<RenderedRow>> JinjaTurns::Render(
    std::vector<Conversation> conversations) const {
  std::vector<JinjaRequest> requests;
  std::vector<std::string> flags;
  for (Conversation& row : conversations) {
    flags.push_back(FlagMarks(*marks_, &row));
    requests.push_back(Ask(row.prompt, true));
    requests.push_back(Ask(row.prompt, false));
    row.prompt.push_back(row.chosen);
    requests.push_back(Ask(row.prompt, false));
    if (row.rejected) row.prompt.back() = *row.rejected;
    requests.push_back(row.rejected ? Ask(row.prompt, false) : Ask({}, false));
  }
  FPO_ASSIGN_OR_RETURN(const std::vector<JinjaText> texts, jinja_->Render(requests, takes_parts_));
  std::vector<RenderedRow> rows;
  for (size_t i = 0; i < conversations.size(); ++i) {
    rows.push_back(Compose(absl::MakeConstSpan(texts).subspan(i * kTextsPerRow, kTextsPerRow),
                           conversations[i].rejected.has_value(), flags[i]));
  }
  return rows;
}

absl::StatusOr<std::vector<RenderedRow>> JinjaTurns::RenderPrompts(
    std::vector<std::vector<Message>> prompts) const {
  std::vector<JinjaRequest> requests;
  std::vector<std::string> flags;
  for (std::vector<Message>& messages : prompts) {
    flags.push_back(marks_->Flag(&messages));
    requests.push_back(Ask(std::move(messages), true));
  }
  FPO_ASSIGN_OR_RETURN(const std::vector<JinjaText> texts, jinja_->Render(requests, takes_parts_));
  std::vector<RenderedRow> rows;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (!texts[i].error.empty()) {
      rows.push_back(DroppedRow("template_refused", texts[i].error));
      continue;
    }
    rows.emplace_back();
    rows.back().turns = true;
    rows.back().prompt = LiteralMarks::Unflagged(texts[i].text, flags[i]);
  }
  return rows;
}

}  // namespace fpo::train
