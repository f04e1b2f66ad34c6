#include "train/findings/pair_texts.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/text/utf8.h"
#include "train/data/context_id.h"

namespace fpo::train {
namespace {

constexpr size_t kShownBytesMax = 4000;

// The end of the text, from a character on.
std::string EndOf(std::string text) {
  if (text.size() <= kShownBytesMax) return text;
  size_t from = text.size() - kShownBytesMax;
  while (from < text.size() && (static_cast<uint8_t>(text[from]) & 0xC0) == 0x80) ++from;
  return "..." + text.substr(from);
}

}  // namespace

std::string PairTexts::Decode(absl::Span<const int32_t> ids) const {
  std::vector<int32_t> tokens;
  for (const int32_t id : ids) tokens.push_back(TokenOf(id));
  auto text = tokenizer_.Decode(tokens);
  return text.ok() ? *std::move(text) : absl::StrJoin(tokens, " ");
}

ShownPair PairTexts::Show(bool is_eval, int64_t index) const {
  const TokenFile& file = is_eval ? eval_ : train_;
  const TokenPairView pair = file.pair(index);
  return {is_eval,
          index,
          pair.row,
          file.row_id(index),
          EndOf(Decode(pair.prompt)),
          ShortText(Decode(pair.chosen), kShownBytesMax),
          ShortText(Decode(pair.rejected), kShownBytesMax)};
}

}  // namespace fpo::train
