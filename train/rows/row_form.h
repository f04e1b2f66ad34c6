#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "absl/strings/string_view.h"

namespace fpo::train {

// The accepted row formats, as one sentence for messages.
inline constexpr absl::string_view kAcceptedForms =
    "accepted are prompt with chosen and rejected, or with completion; messages or conversations; "
    "instruction with output; \"Human:/Assistant:\" transcripts; text (for sae); prompt_ids, "
    "chosen_ids and rejected_ids; and the other forms of docs/data.md; data.columns renames "
    "columns";

// Describes a rejected row: `the row has the fields "prompt", "completion"`, and names the format
// when it is one in use elsewhere.
std::string DescribeRow(const nlohmann::json& row);

// What is wrong with one entry of a list of messages; "" when it has a role and may have a content.
std::string WhyNoMessage(const nlohmann::json& entry);

// Why a text does not parse as JSON, as far as its beginning or end shows, else the parser's
// reason.
std::string WhyNoJson(absl::string_view text, absl::string_view reason);

}  // namespace fpo::train
