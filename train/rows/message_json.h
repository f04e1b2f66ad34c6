#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json_fwd.hpp"
#include "train/rows/preference_row.h"

namespace fpo::train {

// Messages as written by the common tools, or the reason why they cannot be used.
struct MessageList {
  std::vector<Message> messages;
  std::string drop_reason;  // images_unsupported, audio_unsupported, tool_calls_unsupported,
                            // unknown_role, no_content; "" when all are plain text
};

// Reads a list of messages, a single one, or a text, which is one assistant turn. A message is
// {role, content} or {from, value}; its content a text or a list of parts. Roles are mapped to
// system, user and assistant. `key` names the field. InvalidArgument says what is no message.
absl::StatusOr<MessageList> MessagesOf(const nlohmann::json& value, absl::string_view key);

}  // namespace fpo::train
