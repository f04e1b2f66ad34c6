#include "train/generate/text_stream.h"

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace fpo::train {

// "<0xE2>": whether the text of such a run is valid shows only at its end.
bool TextStream::IsByte(int32_t id) const {
  const std::string& piece = tokenizer_.PieceOf(id);
  return piece.size() == 6 && absl::StartsWith(piece, "<0x") && piece.back() == '>';
}

std::string TextStream::Add(int32_t id) {
  if (tokenizer_.IsSpecial(id)) return "";
  if (IsByte(id)) {
    held_.push_back(id);
    return "";
  }
  std::string text = Finish();
  const auto piece = tokenizer_.Decode({id});
  if (piece.ok()) text += *piece;
  return text;
}

std::string TextStream::Finish() {
  const auto text = tokenizer_.Decode(held_);
  held_.clear();
  return text.ok() ? *text : "";
}

}  // namespace fpo::train
