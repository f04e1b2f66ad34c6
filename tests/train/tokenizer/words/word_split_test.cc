#include "train/tokenizer/words/word_split.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/hash.h"
#include "common/text/utf8.h"

namespace fpo::train {
namespace {

std::vector<std::string> WordsOf(absl::string_view text, int digits = 3) {
  std::vector<std::string> words;
  SplitWords(text, digits, [&](absl::string_view word) { words.emplace_back(word); });
  return words;
}

using Words = std::vector<std::string>;

TEST(WordSplit, FollowsThePattern) {
  EXPECT_EQ(WordsOf("I'm here, it'S"), (Words{"I", "'m", " here", ",", " it", "'S"}));
  EXPECT_EQ(WordsOf("12345 678"), (Words{"123", "45", " ", "678"}));
  EXPECT_EQ(WordsOf("123", 1), (Words{"1", "2", "3"}));
  EXPECT_EQ(WordsOf("a  \n \n  b"), (Words{"a", "  \n \n", " ", " b"}));
  EXPECT_EQ(WordsOf("x   "), (Words{"x", "   "}));
  EXPECT_EQ(WordsOf("!?\r\n a"), (Words{"!?\r\n", " a"}));
  EXPECT_EQ(WordsOf(" ("), (Words{" ("}));
  EXPECT_EQ(WordsOf(""), Words{});
}

TEST(WordSplit, KnowsTheTwoPatterns) {
  constexpr char kLlama[] =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  std::string qwen = kLlama;
  qwen.replace(qwen.find("{1,3}"), 5, "");
  EXPECT_EQ(DigitsOfWordPattern(kLlama), 3);
  EXPECT_EQ(DigitsOfWordPattern(qwen), 1);
  EXPECT_EQ(DigitsOfWordPattern("\\s+"), 0);
  EXPECT_EQ(DigitsOfWordPattern(qwen + "|x"), 0);
}

void AppendUtf8(uint32_t code, std::string* text) {
  const auto add = [text](uint32_t byte) { text->push_back(static_cast<char>(byte)); };
  const auto rest = [&](int shift) { add(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x80) return add(code);
  if (code < 0x800) {
    add(0xC0 | code >> 6);
  } else {
    if (code >= 0x10000) {
      add(0xF0 | code >> 18);
      rest(12);
    } else {
      add(0xE0 | code >> 12);
    }
    rest(6);
  }
  rest(0);
}

// Every code point between letters, digits, spaces, an apostrophe and others, against the
// `tokenizers` library (make_byte_level_goldens.py).
TEST(WordSplit, AgreesWithTheLibraryOnEveryCodePoint) {
  const std::pair<const char*, const char*> contexts[] = {{"", ""},   {"a", "b"},  {"1", "2"},
                                                          {" ", " "}, {"'", "x"},  {"\n", "\n"},
                                                          {"!", "!"}, {"  ", "a"}, {"12", "3"}};
  const char* source = std::getenv("FPO_SOURCE_DIR");
  std::ifstream file(std::string(source ? source : ".") + "/tests/golden/word_splits.jsonl");
  int compared = 0;
  for (std::string line; std::getline(file, line);) {
    const auto golden = nlohmann::json::parse(line);
    const int digits = golden["digits"];
    for (uint32_t first = 0; first < 0x110000; first += 4096, ++compared) {
      std::string sizes;
      for (uint32_t code = first; code < first + 4096; ++code) {
        if (code >= 0xD800 && code < 0xE000) continue;
        for (const auto& [before, after] : contexts) {
          std::string text = before;
          AppendUtf8(code, &text);
          SplitWords(text + after, digits, [&](absl::string_view word) {
            sizes.push_back(static_cast<char>(word.size()));
          });
          sizes.push_back('\0');
        }
      }
      ASSERT_EQ(ToHex(Sha256Of(sizes)).substr(0, 16), golden["digests"][first / 4096])
          << digits << " digits, code points from " << std::hex << first;
    }
  }
  EXPECT_EQ(compared, 2 * 0x110);
}

}  // namespace
}  // namespace fpo::train
