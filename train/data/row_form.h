#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "absl/strings/string_view.h"

namespace fpo::train {

// The forms of rows that are read, in one sentence for messages.
inline constexpr absl::string_view kAcceptedForms =
    "accepted are prompt, chosen and rejected (strings, or lists of {role, content}); chosen and "
    "rejected as whole conversations or \"Human:/Assistant:\" transcripts; messages (one "
    "conversation, for sft); text (for sae); prompt_ids, chosen_ids and rejected_ids (see "
    "docs/data.md)";

// What a row that was refused looks like: `the row has the fields "prompt", "completion"`, and when
// that is a form in use elsewhere, its name.
std::string DescribeRow(const nlohmann::json& row);

// What is wrong with one entry of a list of messages; "" when it is {role, content} with strings.
std::string WhyNoMessage(const nlohmann::json& entry);

// Why a text that does not parse as JSON does not, as far as its beginning or end shows it.
std::string WhyNoJson(absl::string_view text);

}  // namespace fpo::train
