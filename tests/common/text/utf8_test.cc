#include "common/text/utf8.h"

#include <string>

#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(Utf8Test, DecodesEveryLength) {
  const std::string text = "a\u00e9\u6f22\U0001F600";
  size_t at = 0;
  EXPECT_EQ(NextCodePoint(text, &at), 'a');
  EXPECT_EQ(NextCodePoint(text, &at), 0xE9);
  EXPECT_EQ(NextCodePoint(text, &at), 0x6F22);
  EXPECT_EQ(NextCodePoint(text, &at), 0x1F600);
  EXPECT_EQ(at, text.size());
  EXPECT_EQ(FirstInvalidUtf8(text), text.size());
  EXPECT_EQ(FirstInvalidUtf8(std::string("a\0b", 3)), 3u);
  EXPECT_TRUE(IsUtf8(text));
}

TEST(Utf8Test, RefusesWhatIsNotWellFormed) {
  for (const char* bad :
       {"\x80", "\xC0\xAF", "\xC1\xBF", "\xC3", "\xE0\x80\xAF", "\xE2\x96", "\xED\xA0\x80",
        "\xF0\x80\x80\xAF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xC3(", "\xFF"}) {
    size_t at = 0;
    EXPECT_EQ(NextCodePoint(bad, &at), -1) << bad;
    EXPECT_EQ(at, 0u);
    EXPECT_EQ(FirstInvalidUtf8(std::string("ok") + bad), 2u);
    EXPECT_FALSE(IsUtf8(bad));
  }
}

TEST(Utf8Test, RepairKeepsWhatIsWellFormed) {
  const std::string text = "a\n\t\x7f ä € 😀 \xED\x9F\xBF \xEE\x80\x80 \xF4\x8F\xBF\xBF";
  EXPECT_EQ(ToValidUtf8(text), text);
  EXPECT_EQ(ToValidUtf8(std::string("\0x", 2)), std::string("\0x", 2));
}

TEST(Utf8Test, RepairReplacesEveryOtherByte) {
  EXPECT_EQ(ToValidUtf8("\xFF"
                        "a\x80"),
            "?a?");
  EXPECT_EQ(ToValidUtf8("cut \xE2\x82"), "cut ??");
  EXPECT_EQ(ToValidUtf8("\xF0\x9F\x98"), "???");
  EXPECT_EQ(ToValidUtf8("\xC0\xAF"), "??") << "overlong";
  EXPECT_EQ(ToValidUtf8("\xED\xA0\x80"), "???") << "a surrogate";
  EXPECT_EQ(ToValidUtf8("\xF4\x90\x80\x80"), "????") << "above U+10FFFF";
}

TEST(Utf8Test, LongTextsAreCutBetweenCharacters) {
  EXPECT_EQ(ShortText("abcdef", 6), "abcdef");
  EXPECT_EQ(ShortText("abcdefg", 6), "abc...");
  EXPECT_EQ(ShortText("ab\u00e9defg", 6), "ab...") << "the character has two bytes";
  EXPECT_TRUE(IsUtf8(ShortText(std::string(3000, 'x') + "\u00e9")));
  EXPECT_EQ(ShortText(std::string(3000, 'x')).size(), 2048u);
}

}  // namespace
}  // namespace fpo
