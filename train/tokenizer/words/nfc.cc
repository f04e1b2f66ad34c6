#include "train/tokenizer/words/nfc.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace fpo::train {
namespace {

// U+11A7 lies before the first of Hangul's trailing consonants and composes with nothing, but
// utf8proc 2.8 takes it for one of them. What is before and behind it is normalised by itself.
constexpr char kBeforeTrailing[] = "\xE1\x86\xA7";

std::string Composed(absl::string_view text) {
  utf8proc_uint8_t* made = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &made,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owned(made, &std::free);
  if (size < 0) throw std::bad_alloc();  // the text is well-formed: only memory can be missing
  return {reinterpret_cast<const char*>(made), static_cast<size_t>(size)};
}

}  // namespace

std::string NormalisedToNfc(absl::string_view text) {
  // Below U+0300, whose first byte is 0xCC, nothing is composed and nothing decomposed for good.
  const bool simple =
      std::all_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) < 0xCC; });
  if (simple) return std::string(text);
  std::string out;
  while (true) {
    const size_t cut = text.find(kBeforeTrailing);
    out += Composed(text.substr(0, cut));
    if (cut == text.npos) return out;
    out += kBeforeTrailing;
    text.remove_prefix(cut + 3);
  }
}

}  // namespace fpo::train
