#include "worker/core/outbox/utf8.h"

#include <string>

#include "gtest/gtest.h"

namespace fpo::worker {
namespace {

TEST(Utf8Test, KeepsWhatIsWellFormed) {
  const std::string text = "a\n\t\x7f ä € 😀 \xED\x9F\xBF \xEE\x80\x80 \xF4\x8F\xBF\xBF";
  EXPECT_EQ(ToValidUtf8(text), text);
  EXPECT_EQ(ToValidUtf8(std::string("\0x", 2)), std::string("\0x", 2));
}

TEST(Utf8Test, ReplacesEveryOtherByte) {
  EXPECT_EQ(ToValidUtf8("\xFF"
                        "a\x80"),
            "?a?");
  EXPECT_EQ(ToValidUtf8("cut \xE2\x82"), "cut ??");
  EXPECT_EQ(ToValidUtf8("\xF0\x9F\x98"), "???");
  EXPECT_EQ(ToValidUtf8("\xC0\xAF"), "??") << "overlong";
  EXPECT_EQ(ToValidUtf8("\xED\xA0\x80"), "???") << "a surrogate";
  EXPECT_EQ(ToValidUtf8("\xF4\x90\x80\x80"), "????") << "above U+10FFFF";
}

}  // namespace
}  // namespace fpo::worker
