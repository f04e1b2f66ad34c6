#include "worker/trainer/data/admission.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/status_macros.h"
#include "worker/trainer/data/prompt_cut.h"

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

// The conversation as one row per assistant turn: its prompt is everything before it.
std::vector<PreferenceRow> AssistantTurns(const PreferenceRow& row) {
  std::vector<PreferenceRow> turns;
  for (size_t i = 0; i < row.chosen_messages.size(); ++i) {
    const Message& message = row.chosen_messages[i];
    if (message.role != "assistant" && message.role != "model") continue;
    PreferenceRow turn = row;
    turn.prompt_messages.assign(row.chosen_messages.begin(),
                                row.chosen_messages.begin() + static_cast<int64_t>(i));
    turn.chosen_messages = {message};
    turns.push_back(std::move(turn));
  }
  return turns;
}

}  // namespace

// One pair between tokens and limits.
struct Admission::Encoded {
  TokenPair pair;
  bool moved = false;  // the boundary fell before the prompt's own end
  bool cut_prompt = false, cut_chosen = false, cut_rejected = false;
};

struct Admission::Account {
  AdmissionReport report;
  std::vector<int64_t> prompt, chosen, rejected, total;
  std::unordered_set<std::string> seen;
  int64_t response_tokens = 0;
  int32_t bos = -1, eos = -1;
  std::optional<int32_t> end_of_turn;
  TurnMarks marks;
};

Admission::Admission(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                     AdmissionLimits limits)
    : tokenizer_(tokenizer),
      template_(chat_template),
      limits_(limits),
      account_(std::make_unique<Account>()) {
  account_->report.template_name = template_.name();
  account_->bos = tokenizer_.bos();
  account_->eos = tokenizer_.eos();
  account_->end_of_turn = tokenizer_.IdOf("<end_of_turn>");
  account_->marks = {tokenizer_.bos(), tokenizer_.IdOf("<start_of_turn>"), tokenizer_.IdOf("\n")};
}

Admission::~Admission() = default;

bool Admission::full() const {
  return limits_.max_pairs && account_->report.admitted >= *limits_.max_pairs;
}

void Admission::Drop(const PreferenceRow& row, const std::string& reason) {
  ++account_->report.dropped[reason];
  auto& examples = account_->report.dropped_examples;
  if (examples.size() < kExamplesMax) examples.push_back(absl::StrCat(row.where, ": ", reason));
}

absl::StatusOr<std::vector<TokenPair>> Admission::Admit(const PreferenceRow& row) {
  std::vector<PreferenceRow> parts;
  if (row.kind == Kind::kMessages && !row.has_rejected && row.prompt_messages.empty()) {
    parts = AssistantTurns(row);
    if (parts.empty()) Drop(row, "bad_roles");
  }
  const bool whole = parts.empty() && !(row.kind == Kind::kMessages && !row.has_rejected &&
                                        row.prompt_messages.empty());
  std::vector<TokenPair> pairs;
  for (size_t i = 0; i < (whole ? 1 : parts.size()) && !full(); ++i) {
    FPO_ASSIGN_OR_RETURN(auto pair, AdmitOne(whole ? row : parts[i]));
    if (pair) pairs.push_back(*std::move(pair));
  }
  if (full()) account_->report.stopped_at_max_pairs = true;
  return pairs;
}

absl::StatusOr<std::optional<Admission::Encoded>> Admission::EncodeText(const PreferenceRow& row) {
  const auto text = template_.Render(row);
  if (!text.ok()) {
    Drop(row, "bad_roles");
    return std::optional<Encoded>();
  }
  const bool two = row.has_rejected && !limits_.chosen_only;
  if (text->chosen.empty() || (two && text->rejected.empty())) {
    Drop(row, "empty_response");
    return std::optional<Encoded>();
  }
  // Prompt and response are tokenised in one piece, as the model will read them. Where a token
  // reaches over the seam it belongs to the response, for both sides alike: they must share one
  // prompt.
  FPO_ASSIGN_OR_RETURN(Ids prompt, tokenizer_.Encode(text->prompt));
  FPO_ASSIGN_OR_RETURN(const Ids chosen, tokenizer_.Encode(text->prompt + text->chosen));
  Ids rejected;
  int64_t boundary = CommonHead(prompt, chosen);
  if (two) {
    FPO_ASSIGN_OR_RETURN(rejected, tokenizer_.Encode(text->prompt + text->rejected));
    boundary = std::min(boundary, CommonHead(prompt, rejected));
  }
  Encoded encoded;
  encoded.moved = boundary < Length(prompt);
  prompt.resize(static_cast<size_t>(boundary));
  const int32_t end = template_.Terminator(row);
  encoded.pair.prompt = std::move(prompt);
  encoded.pair.chosen.assign(chosen.begin() + boundary, chosen.end());
  encoded.pair.chosen.push_back(end);
  if (two) {
    encoded.pair.rejected.assign(rejected.begin() + boundary, rejected.end());
    encoded.pair.rejected.push_back(end);
  }
  return std::optional<Encoded>(std::move(encoded));
}

void Admission::Limit(Encoded* encoded) {
  TokenPair& pair = encoded->pair;
  encoded->cut_prompt = CutPrompt(account_->marks, limits_.max_prompt_length, &pair.prompt);
  const int64_t room = limits_.max_length - Length(pair.prompt);
  encoded->cut_chosen = Length(pair.chosen) > room;
  encoded->cut_rejected = Length(pair.rejected) > room;
  if (encoded->cut_chosen) pair.chosen.resize(static_cast<size_t>(room));
  if (encoded->cut_rejected) pair.rejected.resize(static_cast<size_t>(room));
}

void Admission::Count(const Encoded& encoded) {
  const TokenPair& pair = encoded.pair;
  AdmissionReport& report = account_->report;
  ++report.admitted;
  report.boundary_moves += encoded.moved;
  report.cut_prompts += encoded.cut_prompt;
  report.cut_chosen += encoded.cut_chosen;
  report.cut_rejected += encoded.cut_rejected;
  const bool bos_first = pair.prompt[0] == account_->bos;
  report.missing_bos += !bos_first;
  report.doubled_bos += bos_first && pair.prompt.size() > 1 && pair.prompt[1] == account_->bos;
  std::string bytes;
  for (const Ids* part : {&pair.prompt, &pair.chosen, &pair.rejected}) {
    absl::StrAppend(&bytes, part->size(), ":");
    bytes.append(reinterpret_cast<const char*>(part->data()), part->size() * sizeof(int32_t));
  }
  report.duplicates += !account_->seen.insert(ToBytes(Sha256Of(bytes))).second;
  for (const Ids* side : {&pair.chosen, &pair.rejected}) {
    if (side->empty()) continue;
    const int32_t last = side->back();
    report.missing_terminators += last != account_->eos && last != account_->end_of_turn;
    account_->response_tokens += Length(*side);
  }
  account_->prompt.push_back(Length(pair.prompt));
  account_->chosen.push_back(Length(pair.chosen));
  if (!pair.rejected.empty()) account_->rejected.push_back(Length(pair.rejected));
  account_->total.push_back(Length(pair.prompt) +
                            std::max(Length(pair.chosen), Length(pair.rejected)));
  report.tokens += Length(pair.prompt) + Length(pair.chosen) + Length(pair.rejected);
}

absl::StatusOr<std::optional<TokenPair>> Admission::AdmitOne(const PreferenceRow& row) {
  const bool two = row.has_rejected && !limits_.chosen_only;
  const auto drop = [&](const char* reason) {
    Drop(row, reason);
    return std::optional<TokenPair>();
  };
  if (limits_.pairs_required && !row.has_rejected) return drop("no_rejected_response");
  if (two && !row.drop_reason.empty()) return drop(row.drop_reason.c_str());
  std::optional<Encoded> encoded;
  if (row.kind == Kind::kIds) {
    encoded.emplace();
    encoded->pair.prompt = row.prompt_ids;
    encoded->pair.chosen = row.chosen_ids;
    if (two) encoded->pair.rejected = row.rejected_ids;
    if (row.prompt_ids.empty()) return drop("empty_prompt");
    if (row.chosen_ids.empty() || (two && row.rejected_ids.empty())) return drop("empty_response");
  } else {
    FPO_ASSIGN_OR_RETURN(encoded, EncodeText(row));
    if (!encoded) return std::optional<TokenPair>();
  }
  for (const Ids* part : {&encoded->pair.prompt, &encoded->pair.chosen, &encoded->pair.rejected}) {
    const auto beyond = std::find_if(part->begin(), part->end(),
                                     [&](int32_t id) { return id >= tokenizer_.size(); });
    if (beyond != part->end()) return drop("id_outside_vocabulary");
  }
  Limit(&*encoded);
  if (two && encoded->pair.chosen == encoded->pair.rejected) return drop("identical_pair");
  encoded->pair.row = row.row;
  encoded->pair.row_id = row.id;
  account_->report.equal_scores +=
      two && row.chosen_score && row.chosen_score == row.rejected_score;
  Count(*encoded);
  return std::optional<TokenPair>(std::move(encoded->pair));
}

AdmissionReport Admission::Report() const {
  AdmissionReport report = account_->report;
  report.prompt = QuantilesOf(account_->prompt);
  report.chosen = QuantilesOf(account_->chosen);
  report.rejected = QuantilesOf(account_->rejected);
  report.total = QuantilesOf(account_->total);
  if (report.tokens > 0) {
    report.response_share =
        static_cast<double>(account_->response_tokens) / static_cast<double>(report.tokens);
  }
  return report;
}

}  // namespace fpo::train
