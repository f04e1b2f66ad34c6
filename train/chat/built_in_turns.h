#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "train/rows/preference_row.h"

namespace fpo::train {

// Turns that need no Jinja. Both functions render a conversation as its template would with
// add_generation_prompt = `asks`. InvalidArgument: roles that do not alternate, starting with the
// user, after at most one system message.

// Gemma 3's template: messages are trimmed, except the system message, which is put before the
// first user message with a blank line between them. Without a system message this is Gemma 2's.
absl::StatusOr<std::string> GemmaTurns(const std::vector<Message>& messages, bool asks);

// The tags of the HALOs project, which the FPO paper's authors used: nothing is trimmed, and a turn
// has no end mark.
absl::StatusOr<std::string> HaloTurns(const std::vector<Message>& messages, bool asks);

// A message as a turn of Gemma shows it.
std::string GemmaContent(const Message& message);

}  // namespace fpo::train
