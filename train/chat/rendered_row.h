#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "train/chat/literal_marks.h"
#include "train/rows/preference_row.h"

namespace fpo::train {

// A row rendered as text, ready for the tokenizer, or the reason why it cannot be.
struct RenderedRow {
  std::string drop_reason;  // "" when it is rendered; e.g. "bad_roles", "template_refused"
  std::string drop_detail;  // the template's own words, or ""
  MarkedText prompt;        // ends where the response begins
  MarkedText chosen, rejected;
  std::optional<int32_t> end;  // the id that ends each response; nullopt: its text has the end
  bool turns = false;          // by a chat template
  bool system_folded = false;  // a system message that the model's own template refuses
  bool off_prompt = false;     // the prompt is not what add_generation_prompt gives
  bool literal_marks() const {
    return !prompt.literal.empty() || !chosen.literal.empty() || !rejected.literal.empty();
  }
};

// A prompt and one response to it, or two.
struct Conversation {
  std::vector<Message> prompt;
  Message chosen;
  std::optional<Message> rejected;
};

RenderedRow DroppedRow(std::string reason, std::string detail = "");

// Flags the turn marks in all messages (literal_marks.h); returns the flag.
std::string FlagMarks(const LiteralMarks& marks, Conversation* conversation);

}  // namespace fpo::train
