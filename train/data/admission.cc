#include "train/data/admission.h"

#include <algorithm>
#include <limits>
#include <unordered_set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/hash.h"
#include "common/status_macros.h"
#include "train/data/context_id.h"
#include "train/data/labelled_examples.h"
#include "train/data/response_turns.h"

namespace fpo::train {
namespace {

using Kind = PreferenceRow::Kind;
using Ids = std::vector<int32_t>;

constexpr size_t kExamplesMax = 20;

int64_t Length(const Ids& ids) { return static_cast<int64_t>(ids.size()); }

int64_t CommonHead(const Ids& a, const Ids& b) {
  const size_t shorter = std::min(a.size(), b.size());
  const auto [at, other] =
      std::mismatch(a.begin(), a.begin() + static_cast<int64_t>(shorter), b.begin());
  return at - a.begin();
}

// Whether each of its assistant turns may be an example: a whole conversation, or a response of
// several turns.
bool HasTurns(const PreferenceRow& row) {
  return row.kind == Kind::kMessages && !row.has_rejected && row.drop_reason.empty() &&
         (row.prompt_messages.empty() || row.chosen_messages.size() > 1);
}

// Whether both responses begin and end with the assistant.
bool AreTurns(const PreferenceRow& row) {
  for (const auto* side : {&row.chosen_messages, &row.rejected_messages}) {
    if (side->empty() || side->front().role != "assistant" || side->back().role != "assistant") {
      return false;
    }
  }
  return true;
}

std::string FormName(Kind kind) {
  switch (kind) {
    case Kind::kStrings:
      return "strings";
    case Kind::kMessages:
      return "messages";
    case Kind::kTranscript:
      return "transcript";
    case Kind::kIds:
      return "ids";
    case Kind::kText:
      break;
  }
  return "text";
}

std::vector<int32_t> NewlineIds(const Tokenizer& tokenizer) {
  std::vector<int32_t> ids;
  for (const char* newlines : {"\n", "\n\n"}) {
    if (const auto id = tokenizer.IdOf(newlines)) ids.push_back(*id);
  }
  return ids;
}

// Whether the response continues the prompt's last word, in a script that separates words.
bool IsInsideAWord(absl::string_view prompt, absl::string_view response) {
  absl::ConsumePrefix(&prompt, "<bos>");
  if (prompt.empty() || response.empty()) return false;
  return absl::ascii_isgraph(prompt.back()) && absl::ascii_isgraph(response.front());
}

// A short prompt may be the beginning of an answer by chance.
bool RepeatsPrompt(const PreferenceRow& row) {
  constexpr size_t kPromptBytesMin = 8;
  return row.kind == PreferenceRow::Kind::kStrings && row.prompt.size() >= kPromptBytesMin &&
         absl::StartsWith(row.chosen, row.prompt) &&
         (!row.has_rejected || absl::StartsWith(row.rejected, row.prompt));
}

}  // namespace

struct Admission::Account {
  AdmissionReport report;
  std::vector<int64_t> prompt, chosen, rejected, total, uncut;
  std::unordered_set<std::string> seen;
  int64_t response_tokens = 0;
  int64_t with_turns = 0, without_turns = 0;
};

Admission::Admission(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                     AdmissionLimits limits)
    : tokenizer_(tokenizer),
      template_(chat_template),
      limits_(limits),
      newlines_(NewlineIds(tokenizer)),
      account_(std::make_unique<Account>()) {}

Admission::~Admission() = default;

int64_t Admission::room() const {
  if (!limits_.max_pairs) return std::numeric_limits<int64_t>::max();
  return std::max<int64_t>(0, *limits_.max_pairs - account_->report.admitted);
}

bool Admission::full() const { return room() == 0; }

std::vector<PreferenceRow> Admission::Examples(PreferenceRow row) const {
  if (limits_.labelled) return LabelledExamples(std::move(row));
  if (limits_.chosen_only) row.has_rejected = false;
  if (!row.has_rejected) {
    row.pair_drop_reason.clear();
    // A row counts once, however many turns a conversation without a second response has.
    if (limits_.pairs_required && row.drop_reason.empty()) row.drop_reason = "no_rejected_response";
  }
  std::vector<PreferenceRow> examples;
  if (HasSeveralTurns(row) && row.drop_reason.empty() && !AreTurns(row)) {
    row.drop_reason = "bad_roles";
  }
  if (!HasTurns(row)) {
    examples.push_back(std::move(row));
    return examples;
  }
  const std::vector<Message> messages = std::move(row.chosen_messages);
  for (const size_t i : TrainedTurns(messages, limits_.train_on)) {
    PreferenceRow& turn = examples.emplace_back(row);
    turn.prompt_messages.insert(turn.prompt_messages.end(), messages.begin(),
                                messages.begin() + static_cast<int64_t>(i));
    turn.chosen_messages = {messages[i]};
  }
  if (examples.empty()) {
    row.drop_reason = "bad_roles";
    examples.push_back(std::move(row));
  }
  return examples;
}

std::vector<PreferenceRow> Admission::Renderings(const PreferenceRow& example) {
  const bool dropped = !example.drop_reason.empty() || !example.pair_drop_reason.empty();
  return HasSeveralTurns(example) && !dropped ? TurnsOf(example)
                                              : std::vector<PreferenceRow>{example};
}

absl::StatusOr<std::vector<AdmissionCandidate>> Admission::Encode(const PreferenceRow& row) const {
  std::vector<AdmissionCandidate> candidates;
  for (const PreferenceRow& example : Examples(row)) {
    FPO_ASSIGN_OR_RETURN(const std::vector<RenderedRow> rendered,
                         template_.Render(Renderings(example)));
    FPO_ASSIGN_OR_RETURN(candidates.emplace_back(), Encode(example, rendered));
  }
  return candidates;
}

absl::Status Admission::EncodeRow(const PreferenceRow& row, absl::Span<const RenderedRow> rendered,
                                  AdmissionCandidate* out) const {
  if (!row.drop_reason.empty() || !row.pair_drop_reason.empty()) {
    out->drop_reason = row.drop_reason.empty() ? row.pair_drop_reason : row.drop_reason;
    return absl::OkStatus();
  }
  if (row.kind == Kind::kIds) {
    out->pair.prompt = row.prompt_ids;
    out->pair.chosen = row.chosen_ids;
    if (row.has_rejected) out->pair.rejected = row.rejected_ids;
    return absl::OkStatus();
  }
  if (HasSeveralTurns(row)) {
    FPO_ASSIGN_OR_RETURN(*out, EncodeTurns(row, rendered, tokenizer_, limits_.train_on));
    return absl::OkStatus();
  }
  return EncodeText(row, rendered[0], out);
}

absl::StatusOr<AdmissionCandidate> Admission::Encode(const PreferenceRow& row,
                                                     absl::Span<const RenderedRow> rendered) const {
  const bool two = row.has_rejected;
  AdmissionCandidate out;
  FPO_RETURN_IF_ERROR(EncodeRow(row, rendered, &out));
  if (!out.drop_reason.empty()) return out;
  TokenPair& pair = out.pair;
  if (pair.prompt.empty()) out.drop_reason = "empty_prompt";
  if (pair.chosen.empty() || (two && pair.rejected.empty())) out.drop_reason = "empty_response";
  for (const Ids* part : {&pair.prompt, &pair.chosen, &pair.rejected}) {
    const auto outside = [&](int32_t id) { return TokenOf(id) >= tokenizer_.id_limit(); };
    if (std::any_of(part->begin(), part->end(), outside)) out.drop_reason = "id_outside_vocabulary";
  }
  if (!out.drop_reason.empty()) return out;
  Limit(&out);
  if (!out.drop_reason.empty()) return out;
  if (two && pair.chosen == pair.rejected) out.drop_reason = "identical_pair";
  pair.row = row.row;
  pair.row_id = row.id;
  if (limits_.labelled) pair.label = row.label;
  out.equal_scores = two && row.chosen_score && row.chosen_score == row.rejected_score;
  out.repeats_prompt = RepeatsPrompt(row);
  out.lower_score = two && row.chosen_score && row.chosen_score < row.rejected_score;
  return out;
}

absl::Status Admission::EncodeText(const PreferenceRow& row, const RenderedRow& text,
                                   AdmissionCandidate* out) const {
  const bool two = row.has_rejected;
  out->drop_reason = text.drop_reason;
  out->drop_detail = text.drop_detail;
  if (out->drop_reason.empty() && (text.chosen.text.empty() || (two && text.rejected.text.empty())))
    out->drop_reason = "empty_response";
  if (!out->drop_reason.empty()) return absl::OkStatus();
  const auto encode = [this](const MarkedText& marked) {
    return tokenizer_.Encode(marked.text, marked.literal);
  };
  // Prompt and response are tokenised together, as the model will read them. A token that spans the
  // boundary belongs to the response, on both sides alike, because both share one prompt.
  FPO_ASSIGN_OR_RETURN(Ids prompt, encode(text.prompt));
  FPO_ASSIGN_OR_RETURN(const Ids chosen, encode(Joined(text.prompt, text.chosen)));
  Ids rejected;
  int64_t boundary = CommonHead(prompt, chosen);
  if (two) {
    FPO_ASSIGN_OR_RETURN(rejected, encode(Joined(text.prompt, text.rejected)));
    boundary = std::min(boundary, CommonHead(prompt, rejected));
  }
  out->turns = text.turns;
  out->literal_marks = text.literal_marks();
  out->system_folded = text.system_folded;
  out->off_prompt = text.off_prompt;
  out->unseparated = (row.kind == Kind::kStrings || row.kind == Kind::kMessages) && !out->turns &&
                     IsInsideAWord(text.prompt.text, text.chosen.text);
  out->moved = boundary < Length(prompt);
  prompt.resize(static_cast<size_t>(boundary));
  out->pair.prompt = std::move(prompt);
  out->pair.chosen.assign(chosen.begin() + boundary, chosen.end());
  if (text.end) out->pair.chosen.push_back(*text.end);
  if (two) {
    out->pair.rejected.assign(rejected.begin() + boundary, rejected.end());
    if (text.end) out->pair.rejected.push_back(*text.end);
  }
  return absl::OkStatus();
}

void Admission::Limit(AdmissionCandidate* out) const {
  TokenPair& pair = out->pair;
  out->uncut = Length(pair.prompt) + std::max(Length(pair.chosen), Length(pair.rejected));
  const TurnMarks marks{tokenizer_.bos(), template_.turn_start(), newlines_};
  out->cut_prompt = CutPrompt(marks, limits_.max_prompt_length, &pair.prompt);
  const int64_t room = limits_.max_length - Length(pair.prompt);
  out->cut_chosen = Length(pair.chosen) > room;
  out->cut_rejected = Length(pair.rejected) > room;
  for (Ids* side : {&pair.chosen, &pair.rejected}) {
    const bool any = !side->empty();
    if (Length(*side) > room) side->resize(static_cast<size_t>(room));
    // What is left of a cut response may end in context.
    while (!side->empty() && IsContextId(side->back())) side->pop_back();
    if (any && side->empty()) out->drop_reason = "empty_response";
  }
}

std::vector<TokenPair> Admission::Decide(const PreferenceRow& row,
                                         std::vector<AdmissionCandidate> candidates) {
  std::vector<TokenPair> pairs;
  for (AdmissionCandidate& candidate : candidates) {
    if (full()) break;
    ++account_->report.examples;
    if (!candidate.drop_reason.empty()) {
      Drop(row, candidate);
      continue;
    }
    Count(row, candidate);
    pairs.push_back(std::move(candidate.pair));
  }
  if (full()) account_->report.stopped_at_max_pairs = true;
  return pairs;
}

absl::StatusOr<std::vector<TokenPair>> Admission::Admit(const PreferenceRow& row) {
  FPO_ASSIGN_OR_RETURN(auto candidates, Encode(row));
  return Decide(row, std::move(candidates));
}

void Admission::Drop(const PreferenceRow& row, const AdmissionCandidate& candidate) {
  ++account_->report.dropped[candidate.drop_reason];
  auto& examples = account_->report.dropped_examples;
  if (examples.size() >= kExamplesMax) return;
  examples.push_back(absl::StrCat(row.where, ": ", candidate.drop_reason,
                                  candidate.drop_detail.empty() ? "" : ": ",
                                  candidate.drop_detail));
}

void Admission::Count(const PreferenceRow& row, const AdmissionCandidate& candidate) {
  const TokenPair& pair = candidate.pair;
  AdmissionReport& report = account_->report;
  ++report.admitted;
  if (pair.label) ++(*pair.label ? report.desirable : report.undesirable);
  ++(candidate.turns ? account_->with_turns : account_->without_turns);
  ++report.forms[FormName(row.kind)];
  report.texts_without_turns += !candidate.turns && row.kind != Kind::kIds;
  report.unseparated += candidate.unseparated;
  report.boundary_moves += candidate.moved;
  report.cut_prompts += candidate.cut_prompt;
  report.cut_chosen += candidate.cut_chosen;
  report.cut_rejected += candidate.cut_rejected;
  report.equal_scores += candidate.equal_scores;
  report.lower_scores += candidate.lower_score;
  report.repeated_prompts += candidate.repeats_prompt;
  report.literal_marks += candidate.literal_marks;
  report.system_folded += candidate.system_folded;
  report.off_prompt += candidate.off_prompt;
  const int32_t bos = tokenizer_.bos();
  const bool bos_first = pair.prompt[0] == bos;
  report.missing_bos += bos >= 0 && !bos_first;
  report.doubled_bos += bos_first && pair.prompt.size() > 1 && pair.prompt[1] == bos;
  std::string bytes;
  for (const Ids* part : {&pair.prompt, &pair.chosen, &pair.rejected}) {
    absl::StrAppend(&bytes, part->size(), ":");
    bytes.append(reinterpret_cast<const char*>(part->data()), part->size() * sizeof(int32_t));
  }
  report.duplicates += !account_->seen.insert(ToBytes(Sha256Of(bytes))).second;
  for (const Ids* side : {&pair.chosen, &pair.rejected}) {
    if (side->empty()) continue;
    report.missing_terminators += !template_.IsEnd(side->back());
    account_->response_tokens += ScoredTokens(*side);
  }
  account_->prompt.push_back(Length(pair.prompt));
  account_->chosen.push_back(Length(pair.chosen));
  if (!pair.rejected.empty()) account_->rejected.push_back(Length(pair.rejected));
  account_->total.push_back(Length(pair.prompt) +
                            std::max(Length(pair.chosen), Length(pair.rejected)));
  account_->uncut.push_back(candidate.uncut);
  report.tokens += Length(pair.prompt) + Length(pair.chosen) + Length(pair.rejected);
}

// What `auto` chose for each form that occurred.
std::string Admission::TemplateReason() const {
  if (template_.name() != "auto") return "set by data.template";
  const bool turns = account_->with_turns > 0;
  std::vector<std::string> words;
  for (const auto& [form, count] : account_->report.forms) {
    if (form == "strings") {
      words.push_back(absl::StrCat("strings, and the model's folder has ",
                                   template_.model_has_turns() ? "a" : "no", " chat template"));
    } else if (form == "messages" || form == "transcript") {
      words.push_back(absl::StrCat(form, turns ? "" : ", and the tokenizer has no turn marks"));
    } else {
      words.push_back(form);
    }
  }
  if (turns && template_.model_has_turns()) {
    words.push_back(absl::StrCat("the model's own template of ", template_.file()));
  }
  return absl::StrCat("auto: ", words.empty() ? "no rows" : absl::StrJoin(words, "; "));
}

// 'auto' decides per row; the report says what it chose.
std::string Admission::TemplateName() const {
  if (account_->with_turns == 0) return "none";
  const std::string turns = template_.turns_name();
  return account_->without_turns == 0 ? turns : absl::StrCat(turns, " and none");
}

AdmissionReport Admission::Report() const {
  AdmissionReport report = account_->report;
  report.template_name = TemplateName();
  report.template_reason = TemplateReason();
  report.model_has_turns = template_.model_has_turns();
  report.max_length = limits_.max_length;
  report.max_prompt_length = limits_.max_prompt_length;
  report.prompt = QuantilesOf(account_->prompt);
  report.chosen = QuantilesOf(account_->chosen);
  report.rejected = QuantilesOf(account_->rejected);
  report.total = QuantilesOf(account_->total);
  report.uncut = QuantilesOf(account_->uncut);
  if (report.tokens > 0) {
    report.response_share =
        static_cast<double>(account_->response_tokens) / static_cast<double>(report.tokens);
  }
  return report;
}

}  // namespace fpo::train
