#include "train/features/token_texts.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "train/data/context_id.h"

namespace fpo::train {
namespace {

constexpr char kBroken[] = "\xEF\xBF\xBD";  // U+FFFD: bytes that are no character by themselves

std::string Decoded(const Tokenizer& tokenizer, absl::Span<const int32_t> ids) {
  const absl::StatusOr<std::string> text = tokenizer.Decode(ids);
  return text.ok() ? *text : absl::StrCat(" #", ids.front());
}

// A piece of a byte-level encoding may be a space and the first byte of a character.
bool IsBroken(const std::string& text) { return absl::StrContains(text, kBroken); }

}  // namespace

std::vector<std::string> TokenTexts(const Tokenizer& tokenizer, absl::Span<const int32_t> ids) {
  std::vector<int32_t> tokens;
  for (const int32_t id : ids) tokens.push_back(TokenOf(id));
  std::vector<std::string> texts(tokens.size());
  for (size_t i = 0; i < tokens.size();) {
    size_t end = i + 1;
    texts[i] = Decoded(tokenizer, {&tokens[i], 1});
    if (IsBroken(texts[i])) {
      while (end < tokens.size() && IsBroken(Decoded(tokenizer, {&tokens[end], 1}))) ++end;
      texts[i] = Decoded(tokenizer, {&tokens[i], end - i});
    }
    i = end;
  }
  return texts;
}

}  // namespace fpo::train
