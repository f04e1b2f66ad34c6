#pragma once

#include "absl/status/status.h"
#include "nlohmann/json_fwd.hpp"
#include "train/rows/preference_row.h"

namespace fpo::train {

// Readers of the forms of rows; docs/data.md has an example of each. All return InvalidArgument
// when a field is absent or of the wrong type, and fill what the kind of the row needs.

// Strings: prompt, chosen and rejected; an instruction and its answer; both responses with their
// prompt in front (TRL's implicit prompt).
absl::Status ReadStrings(const nlohmann::json& row, PreferenceRow* out);
absl::Status ReadInstruction(const nlohmann::json& row, PreferenceRow* out);
absl::Status ReadImplicitPrompt(const nlohmann::json& row, PreferenceRow* out);
// HH-RLHF: "\n\nHuman: ...\n\nAssistant: ...".
absl::Status ReadTranscript(const nlohmann::json& row, PreferenceRow* out);
bool IsTranscript(const nlohmann::json& row);
absl::Status ReadIds(const nlohmann::json& row, PreferenceRow* out);
absl::Status ReadPlainText(const nlohmann::json& row, PreferenceRow* out);

// Messages: a prompt and one or two responses, or whole conversations.
absl::Status ReadMessageRow(const nlohmann::json& row, PreferenceRow* out);
// {messages} or {conversations} without a second response.
absl::Status ReadConversation(const nlohmann::json& row, PreferenceRow* out);
// OpenAI: {input: {messages}, preferred_output, non_preferred_output}.
absl::Status ReadOpenAi(const nlohmann::json& row, PreferenceRow* out);
// UltraChat as published: {data: [question, answer, question, ...]}.
absl::Status ReadUltraChat(const nlohmann::json& row, PreferenceRow* out);

// Several responses and which is better.
absl::Status ReadRanked(const nlohmann::json& row, PreferenceRow* out);
absl::Status ReadChoice(const nlohmann::json& row, PreferenceRow* out);
bool IsChoice(const nlohmann::json& row);

}  // namespace fpo::train
