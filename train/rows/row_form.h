#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "absl/strings/string_view.h"

namespace fpo::train {

// The accepted row formats, as one sentence for messages.
inline constexpr absl::string_view kAcceptedForms =
    "accepted are prompt, chosen and rejected (strings, or lists of {role, content}); chosen and "
    "rejected as whole conversations or \"Human:/Assistant:\" transcripts; messages (one "
    "conversation, for sft); text (for sae); prompt_ids, chosen_ids and rejected_ids (see "
    "docs/data.md)";

// Describes a rejected row: `the row has the fields "prompt", "completion"`, and names the format
// when it is one in use elsewhere.
std::string DescribeRow(const nlohmann::json& row);

// What is wrong with one entry of a list of messages; "" when it is {role, content} with strings.
std::string WhyNoMessage(const nlohmann::json& entry);

// Why a text does not parse as JSON, as far as its beginning or end shows.
std::string WhyNoJson(absl::string_view text);

}  // namespace fpo::train
