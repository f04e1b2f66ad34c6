#include "train/tokenizer/words/word_split.h"

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/text/utf8.h"
#include "train/tokenizer/words/code_ranges.h"

namespace fpo::train {
namespace {

constexpr char kBeforeDigits[] = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})";
constexpr char kBehindDigits[] = R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

enum class CharClass { kLetter, kNumber, kSpace, kOther };

struct Character {
  int32_t code = -1;
  CharClass kind = CharClass::kOther;
  size_t end = 0;  // of its bytes; where it begins when there is none
};

CharClass ClassOf(int32_t code) {
  if (IsLetter(code)) return CharClass::kLetter;
  if (IsNumber(code)) return CharClass::kNumber;
  return IsWhiteSpace(code) ? CharClass::kSpace : CharClass::kOther;
}

bool IsLineBreak(const Character& c) { return c.code == '\r' || c.code == '\n'; }

class Scanner {
 public:
  Scanner(absl::string_view text, int digits_max) : text_(text), digits_max_(digits_max) {}

  // Where the word that begins at `begin` ends.
  size_t WordEnd(size_t begin) const {
    const Character first = At(begin);
    if (first.code == '\'') {
      if (const size_t end = ContractionEnd(first.end); end > 0) return end;
    }
    if (first.kind == CharClass::kLetter) return RunEnd(first.end, CharClass::kLetter);
    if (first.kind == CharClass::kNumber) return DigitsEnd(first);
    const Character second = At(first.end);
    if (!IsLineBreak(first) && second.kind == CharClass::kLetter && second.code >= 0) {
      return RunEnd(second.end, CharClass::kLetter);
    }
    if (first.kind == CharClass::kOther) return SymbolsEnd(first.end);
    if (first.code == ' ' && second.code >= 0 && second.kind == CharClass::kOther) {
      return SymbolsEnd(second.end);
    }
    return SpacesEnd(begin);
  }

 private:
  Character At(size_t begin) const {
    Character c;
    c.end = begin;
    if (begin >= text_.size()) return c;
    c.code = NextCodePoint(text_, &c.end);
    c.kind = ClassOf(c.code);
    return c;
  }

  size_t RunEnd(size_t at, CharClass kind) const {
    for (Character c = At(at); c.code >= 0 && c.kind == kind; c = At(at)) at = c.end;
    return at;
  }

  // Behind the apostrophe; 0: none. Without case U+017F, the long s, is an s.
  size_t ContractionEnd(size_t at) const {
    const auto letter = [this](size_t begin) {
      const Character c = At(begin);
      return c.code == 0x17F ? 's' : c.code < 0x80 ? c.code | 0x20 : 0;
    };
    const int32_t first = letter(at);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return At(at).end;
    const int32_t second = at < text_.size() ? letter(At(at).end) : 0;
    const bool two = (first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
                     (first == 'l' && second == 'l');
    return two ? at + 2 : 0;
  }

  size_t DigitsEnd(const Character& first) const {
    size_t at = first.end;
    for (int digits = 1; digits < digits_max_; ++digits) {
      const Character c = At(at);
      if (c.code < 0 || c.kind != CharClass::kNumber) break;
      at = c.end;
    }
    return at;
  }

  size_t SymbolsEnd(size_t at) const {
    at = RunEnd(at, CharClass::kOther);
    while (at < text_.size() && (text_[at] == '\r' || text_[at] == '\n')) ++at;
    return at;
  }

  // Of white space: up to the last line break in it; or all of it at the end of the text; or all
  // but the last character, which goes with what follows, unless it is the only one.
  size_t SpacesEnd(size_t begin) const {
    size_t at = begin, behind_break = 0, last = begin;
    for (Character c = At(at); c.code >= 0 && c.kind == CharClass::kSpace; c = At(at)) {
      last = at;
      at = c.end;
      if (IsLineBreak(c)) behind_break = at;
    }
    if (behind_break > 0) return behind_break;
    return at == text_.size() || last == begin ? at : last;
  }

  absl::string_view text_;
  int digits_max_;
};

}  // namespace

void SplitWords(absl::string_view text, int digits_max,
                absl::FunctionRef<void(absl::string_view)> word) {
  const Scanner scanner(text, digits_max);
  for (size_t at = 0; at < text.size();) {
    const size_t end = scanner.WordEnd(at);
    word(text.substr(at, end - at));
    at = end;
  }
}

int DigitsOfWordPattern(absl::string_view pattern) {
  for (const auto& [digits, count] : {std::pair{"{1,3}", 3}, std::pair{"", 1}}) {
    if (pattern == absl::StrCat(kBeforeDigits, digits, kBehindDigits)) return count;
  }
  return 0;
}

}  // namespace fpo::train
