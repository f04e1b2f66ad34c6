#include "train/tokenizer/words/code_ranges.h"

#include <cstdint>

#include <gtest/gtest.h>

namespace fpo::train {
namespace {

// Every code point in context is in word_split_test.cc.
TEST(CodeRanges, ClassesAreApart) {
  int letters = 0, numbers = 0, spaces = 0;
  for (int32_t code = 0; code < 0x110000; ++code) {
    letters += IsLetter(code);
    numbers += IsNumber(code);
    spaces += IsWhiteSpace(code);
    EXPECT_LE(IsLetter(code) + IsNumber(code) + IsWhiteSpace(code), 1) << code;
  }
  EXPECT_EQ(letters, 141028);
  EXPECT_EQ(numbers, 1911);
  EXPECT_EQ(spaces, 25);
  EXPECT_TRUE(IsLetter(0xE9) && IsLetter(0x4E00) && IsNumber(0x0661) && IsNumber(0xBD));
  EXPECT_FALSE(IsLetter(0x301) || IsNumber('a') || IsWhiteSpace(0x200B) || IsLetter(-1));
}

}  // namespace
}  // namespace fpo::train
