#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "train/data/preference_row.h"
#include "train/tokenizer/tokenizer.h"

namespace fpo::train {

// A row rendered as text, ready for the tokenizer.
struct RenderedRow {
  // starts with "<bos>"; ends with the model's turn header when there are turns
  std::string prompt;
  std::string chosen;  // without terminator
  std::string rejected;
};

// Renders messages as text. Thread-safe.
class ChatTemplate {
 public:
  // `name`: gemma | halo | none | auto. auto: gemma when the model folder's own chat template has
  // Gemma's turns, else by row: messages take gemma when the tokenizer has the turn pieces, strings
  // are joined as they are. InvalidArgument when the tokenizer lacks a piece the template needs.
  static absl::StatusOr<ChatTemplate> Create(const std::string& name, const Tokenizer& tokenizer,
                                             const std::string& model_folder);

  // InvalidArgument: roles that do not alternate, a prompt that does not end with the user,
  // responses that are not one assistant turn.
  absl::StatusOr<RenderedRow> Render(const PreferenceRow& row) const;

  // The id that ends a response of this row: <end_of_turn> inside turns, else <eos>.
  int32_t Terminator(const PreferenceRow& row) const;

  // Whether this row is rendered with <start_of_turn> and <end_of_turn>.
  bool UsesTurns(const PreferenceRow& row) const;

  const std::string& name() const { return name_; }
  // The model's folder has a chat template with Gemma's turns: it was trained to answer in them.
  bool model_has_turns() const { return model_has_turns_; }

 private:
  std::string name_;
  bool model_has_turns_ = false;
  bool strings_are_turns_ = false;
  int32_t end_of_turn_ = -1;
  int32_t eos_ = -1;
};

}  // namespace fpo::train
