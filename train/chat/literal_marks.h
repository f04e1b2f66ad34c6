#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "train/rows/preference_row.h"

namespace fpo::train {

// A text for the tokenizer. The turn marks at the offsets in `literal` (ascending) are plain text,
// because a message contains them; all others are tokens.
struct MarkedText {
  std::string text;
  std::vector<size_t> literal;
};
MarkedText Joined(const MarkedText& head, const MarkedText& tail);

// Follows turn marks that a message contains through a chat template, so that a message cannot end
// its own turn. A noncharacter of Unicode in front of each survives the rendering. Thread-safe.
class LiteralMarks {
 public:
  explicit LiteralMarks(std::vector<std::string> marks);

  // Puts a flag in front of every mark in the contents and returns it; "" when there is no mark. A
  // mark may also begin in one part of a content and end in the next, as a template joins them.
  std::string Flag(std::vector<Message>* messages) const;
  // The rendered text without the flags.
  static MarkedText Unflagged(absl::string_view text, const std::string& flag);

 private:
  size_t Find(absl::string_view text, size_t from) const;  // npos: none
  bool HasMark(const Message& message) const;
  std::vector<size_t> MarksIn(absl::string_view text) const;
  std::vector<std::vector<size_t>> MarksInParts(const std::vector<std::string>& parts) const;
  void AddSpanning(const std::vector<absl::string_view>& pieces, size_t first,
                   std::vector<size_t>* offsets) const;

  std::vector<std::string> marks_;
};

}  // namespace fpo::train
