#include "train/data/response_turns.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "common/status_macros.h"
#include "train/data/context_id.h"

namespace fpo::train {
namespace {

using Ids = std::vector<int32_t>;

bool IsOfAssistant(const Message& message) { return message.role == "assistant"; }

int64_t LengthOf(const Ids& ids) { return static_cast<int64_t>(ids.size()); }

int64_t SharedHead(const Ids& a, const Ids& b) {
  const int64_t shorter = std::min(LengthOf(a), LengthOf(b));
  return std::mismatch(a.begin(), a.begin() + shorter, b.begin()).first - a.begin();
}

// One conversation as ids: prompt and response together.
struct SideTokens {
  Ids ids;
  int64_t prompt = 0;                              // ids before the first turn of the response
  std::vector<std::pair<int64_t, int64_t>> turns;  // begin and end of each turn of the assistant
};

class SideEncoder {
 public:
  explicit SideEncoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  absl::Status Add(const RenderedRow& turn) {
    ends_.push_back(turn.end);
    const MarkedText whole = Joined(turn.prompt, turn.chosen);
    FPO_ASSIGN_OR_RETURN(const Ids prompt,
                         tokenizer_.Encode(turn.prompt.text, turn.prompt.literal));
    FPO_ASSIGN_OR_RETURN(Ids ids, tokenizer_.Encode(whole.text, whole.literal));
    const int64_t begin = SharedHead(prompt, ids);
    if (side_.turns.empty()) side_.prompt = begin;
    side_.turns.emplace_back(begin, LengthOf(ids));
    wholes_.push_back(std::move(ids));
    return absl::OkStatus();
  }

  // False when an earlier turn is not, token by token and with its end mark, where the whole
  // conversation has it.
  bool Finish(SideTokens* out) {
    Ids& last = wholes_.back();
    if (ends_.back()) last.push_back(*ends_.back());
    for (size_t i = 0; i < wholes_.size(); ++i) {
      const Ids& ids = wholes_[i];
      if (SharedHead(ids, last) < LengthOf(ids)) return false;
      int64_t& end = side_.turns[i].second;
      if (!ends_[i]) continue;
      if (end >= LengthOf(last) || last[static_cast<size_t>(end)] != *ends_[i]) return false;
      ++end;
    }
    side_.ids = std::move(last);
    *out = std::move(side_);
    return true;
  }

 private:
  const Tokenizer& tokenizer_;
  SideTokens side_;
  std::vector<Ids> wholes_;  // the conversation through each turn
  std::vector<std::optional<int32_t>> ends_;
};

// The ids behind the prompt. A token that spans its end belongs to the response.
Ids ResponseOf(const SideTokens& side, int64_t prompt, const std::vector<bool>& trained) {
  Ids response;
  for (int64_t i = prompt; i < LengthOf(side.ids); ++i) {
    response.push_back(ContextId(side.ids[static_cast<size_t>(i)]));
  }
  for (size_t turn = 0; turn < side.turns.size(); ++turn) {
    if (!trained[turn]) continue;
    const int64_t begin = turn == 0 ? prompt : side.turns[turn].first;
    for (int64_t i = begin; i < side.turns[turn].second; ++i) {
      response[static_cast<size_t>(i - prompt)] = side.ids[static_cast<size_t>(i)];
    }
  }
  while (!response.empty() && IsContextId(response.back())) response.pop_back();
  return response;
}

// For each turn of the assistant, whether it is trained on.
std::vector<bool> TrainedOf(const std::vector<Message>& messages,
                            AdmissionLimits::TrainOn train_on) {
  const std::vector<size_t> places = TrainedTurns(messages, train_on);
  std::vector<bool> trained;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (!IsOfAssistant(messages[i])) continue;
    trained.push_back(std::find(places.begin(), places.end(), i) != places.end());
  }
  return trained;
}

void AppendTurns(const PreferenceRow& row, const std::vector<Message>& messages,
                 std::vector<PreferenceRow>* turns) {
  for (size_t i = 0; i < messages.size(); ++i) {
    if (!IsOfAssistant(messages[i])) continue;
    PreferenceRow& turn = turns->emplace_back(row);
    turn.has_rejected = false;
    turn.rejected_messages.clear();
    turn.prompt_messages.insert(turn.prompt_messages.end(), messages.begin(),
                                messages.begin() + static_cast<int64_t>(i));
    turn.chosen_messages = {messages[i]};
  }
}

}  // namespace

std::vector<size_t> TrainedTurns(const std::vector<Message>& messages,
                                 AdmissionLimits::TrainOn train_on) {
  std::vector<size_t> turns;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (IsOfAssistant(messages[i]) && messages[i].trained) turns.push_back(i);
  }
  if (turns.size() < 2) return turns;
  if (train_on == AdmissionLimits::TrainOn::kLastTurn) return {turns.back()};
  if (train_on == AdmissionLimits::TrainOn::kFirstTurn) return {turns.front()};
  return turns;
}

bool HasSeveralTurns(const PreferenceRow& row) {
  return row.kind == PreferenceRow::Kind::kMessages && row.has_rejected &&
         (row.chosen_messages.size() > 1 || row.rejected_messages.size() > 1);
}

std::vector<PreferenceRow> TurnsOf(const PreferenceRow& row) {
  std::vector<PreferenceRow> turns;
  AppendTurns(row, row.chosen_messages, &turns);
  AppendTurns(row, row.rejected_messages, &turns);
  return turns;
}

absl::StatusOr<AdmissionCandidate> EncodeTurns(const PreferenceRow& row,
                                               absl::Span<const RenderedRow> rendered,
                                               const Tokenizer& tokenizer,
                                               AdmissionLimits::TrainOn train_on) {
  AdmissionCandidate out;
  const auto of_chosen = static_cast<size_t>(
      std::count_if(row.chosen_messages.begin(), row.chosen_messages.end(), IsOfAssistant));
  SideEncoder encoders[] = {SideEncoder(tokenizer), SideEncoder(tokenizer)};
  for (size_t i = 0; i < rendered.size(); ++i) {
    const RenderedRow& turn = rendered[i];
    out.drop_reason = turn.drop_reason;
    out.drop_detail = turn.drop_detail;
    if (!out.drop_reason.empty()) return out;
    FPO_RETURN_IF_ERROR(encoders[i < of_chosen ? 0 : 1].Add(turn));
    out.turns = turn.turns;
    out.literal_marks |= turn.literal_marks();
    out.system_folded |= turn.system_folded;
    out.off_prompt |= turn.off_prompt;
  }
  SideTokens chosen, rejected;
  if (!encoders[0].Finish(&chosen) || !encoders[1].Finish(&rejected)) {
    out.drop_reason = "responses_of_several_turns";
    return out;
  }
  const int64_t prompt = std::min(chosen.prompt, rejected.prompt);
  if (SharedHead(chosen.ids, rejected.ids) < prompt) {
    out.drop_reason = "template_rewrites_prompt";
    return out;
  }
  out.moved = chosen.prompt != rejected.prompt;
  out.pair.prompt.assign(chosen.ids.begin(), chosen.ids.begin() + prompt);
  out.pair.chosen = ResponseOf(chosen, prompt, TrainedOf(row.chosen_messages, train_on));
  out.pair.rejected = ResponseOf(rejected, prompt, TrainedOf(row.rejected_messages, train_on));
  return out;
}

}  // namespace fpo::train
