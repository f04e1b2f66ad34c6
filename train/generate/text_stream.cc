#include "train/generate/text_stream.h"

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "train/tokenizer/words/byte_level.h"

namespace fpo::train {

// "<0xE2>": whether the text of such a run is valid shows only at its end.
bool TextStream::IsByte(int32_t id) const {
  const std::string& piece = tokenizer_.PieceOf(id);
  return piece.size() == 6 && absl::StartsWith(piece, "<0x") && piece.back() == '>';
}

// A piece of a byte-level encoding may end inside of a character.
std::string TextStream::AddBytes(int32_t id) {
  AppendBytesOf(tokenizer_.PieceOf(id), &bytes_);
  const size_t whole = WholeCharacters(bytes_);
  const std::string text = LossyUtf8(absl::string_view(bytes_).substr(0, whole));
  bytes_.erase(0, whole);
  return text;
}

std::string TextStream::Add(int32_t id) {
  if (tokenizer_.IsSpecial(id)) return "";
  if (tokenizer_.byte_level()) return AddBytes(id);
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
  if (tokenizer_.byte_level()) {
    const std::string text = LossyUtf8(bytes_);
    bytes_.clear();
    return text;
  }
  const auto text = tokenizer_.Decode(held_);
  held_.clear();
  return text.ok() ? *text : "";
}

}  // namespace fpo::train
