#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fpo::train {

struct Message {
  std::string role;                     // system | user | assistant
  std::string content;                  // the text; of several parts, joined
  std::vector<std::string> parts = {};  // the texts of the parts, when there are several
  bool trained = true;                  // an assistant turn that is not is context only

  bool operator==(const Message&) const = default;
};

// One row of input as written, before template and tokens. `kind` says which fields are filled.
struct PreferenceRow {
  enum class Kind {
    kStrings,     // prompt, chosen, rejected
    kMessages,    // the *_messages; prompt_messages is the shared head, empty for a whole
                  // conversation without a rejected side
    kTranscript,  // both: the strings as written and the messages parsed from them
    kIds,         // the *_ids
    kText,        // chosen only: plain text without a prompt
  };
  Kind kind = Kind::kStrings;
  int64_t row = 0;    // position in the input, over all files, malformed rows counted
  std::string id;     // the row's own "id", or empty
  std::string where;  // "train.jsonl:17"
  bool has_rejected = false;
  std::string drop_reason;  // well-formed but unusable: "images_unsupported"
  // The same, where both responses are used: "no_shared_prompt".
  std::string pair_drop_reason;
  std::string prompt, chosen, rejected;
  std::vector<Message> prompt_messages, chosen_messages, rejected_messages;
  std::vector<int32_t> prompt_ids, chosen_ids, rejected_ids;
  // Of a row with one response that says so: whether it is a wanted one (KTO).
  std::optional<bool> label;
  std::optional<double> chosen_score, rejected_score;
};

}  // namespace fpo::train
