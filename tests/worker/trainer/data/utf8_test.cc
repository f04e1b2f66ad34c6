#include "worker/trainer/data/utf8.h"

#include <gtest/gtest.h>

namespace fpo::train {
namespace {

TEST(Utf8Test, WellFormedTextHasNoBadByte) {
  for (const char* text : {"", "abc", "caf\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
                           "\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(FirstBadUtf8(text), std::nullopt) << text;
  }
}

TEST(Utf8Test, TheFirstBadByteIsFound) {
  EXPECT_EQ(FirstBadUtf8("caf\xE9 noir"), 3u);      // Latin-1
  EXPECT_EQ(FirstBadUtf8("ab\xE2\x82"), 2u);        // cut short
  EXPECT_EQ(FirstBadUtf8("\xC0\xAF"), 0u);          // overlong
  EXPECT_EQ(FirstBadUtf8("a\xED\xA0\x80"), 1u);     // a surrogate
  EXPECT_EQ(FirstBadUtf8("\xF4\x90\x80\x80"), 0u);  // above U+10FFFF
  EXPECT_EQ(FirstBadUtf8("a\x80"), 1u);             // a continuation alone
}

}  // namespace
}  // namespace fpo::train
