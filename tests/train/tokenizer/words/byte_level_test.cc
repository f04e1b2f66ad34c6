#include "train/tokenizer/words/byte_level.h"

#include <set>

#include <gtest/gtest.h>

#include "common/text/utf8.h"

namespace fpo::train {
namespace {

TEST(ByteLevel, SpellsEveryByteByACharacterThatIsItsOwn) {
  EXPECT_EQ(ByteCharsOf(" the\n"), "\xC4\xA0the\xC4\x8A");
  std::set<std::string> seen;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string one(1, static_cast<char>(byte));
    const std::string spelled = ByteCharsOf(one);
    EXPECT_TRUE(IsUtf8(spelled));
    EXPECT_TRUE(seen.insert(spelled).second);
    std::string back = "x";
    AppendBytesOf(spelled, &back);
    EXPECT_EQ(back, "x" + one);
  }
}

TEST(ByteLevel, APieceWithAnotherCharacterIsItself) {
  std::string bytes;
  AppendBytesOf(
      "\xC4\xA0"
      "a b",
      &bytes);  // the space is no character of the spelling
  EXPECT_EQ(bytes,
            "\xC4\xA0"
            "a b");
}

TEST(ByteLevel, WhatIsNoCharacterBecomesOneMarkForEachPart) {
  constexpr char kMark[] = "\xEF\xBF\xBD";
  const auto marks = [&](int n) {
    std::string text;
    for (int i = 0; i < n; ++i) text += kMark;
    return text;
  };
  EXPECT_EQ(LossyUtf8("a\xE2\x82"), "a" + marks(1)) << "the beginning of a character";
  EXPECT_EQ(LossyUtf8("\xE2\x82z"), marks(1) + "z");
  EXPECT_EQ(LossyUtf8("\x80\x80"), marks(2));
  EXPECT_EQ(LossyUtf8("\xC0\xAF"), marks(2)) << "overlong";
  EXPECT_EQ(LossyUtf8("\xED\xA0\x80"), marks(3)) << "a surrogate";
  EXPECT_EQ(LossyUtf8("\xF0\x9F\x98\x80\xF0\x9F"), "\xF0\x9F\x98\x80" + marks(1));
  EXPECT_EQ(LossyUtf8("\xF4\x90\x80"), marks(3)) << "above U+10FFFF";
}

TEST(ByteLevel, WholeCharactersEndBeforeOneThatMayBeCompleted) {
  EXPECT_EQ(WholeCharacters(""), 0u);
  EXPECT_EQ(WholeCharacters("ab"), 2u);
  EXPECT_EQ(WholeCharacters("a\xE2"), 1u);
  EXPECT_EQ(WholeCharacters("a\xE2\x82"), 1u);
  EXPECT_EQ(WholeCharacters("a\xE2\x82\xAC"), 4u);
  EXPECT_EQ(WholeCharacters("\xF0\x9F\x98"), 0u);
  EXPECT_EQ(WholeCharacters("a\x80"), 2u) << "it never will be one";
  EXPECT_EQ(WholeCharacters("\xED\xA0"), 2u);
}

}  // namespace
}  // namespace fpo::train
