#include "ctl/show/text_layout.h"

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace fpo::ctl {
namespace {

TEST(TextLayoutTest, WidthCountsColumnsNotBytes) {
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("Zürich"), 6);
  EXPECT_EQ(DisplayWidth("模型"), 4);
  EXPECT_EQ(DisplayWidth("e\xCC\x81"), 1);     // e and a combining accent
  EXPECT_EQ(DisplayWidth("\xFF\xE6\x9C"), 3);  // broken bytes
}

TEST(TextLayoutTest, WideSignsAndEmojiTakeTwoColumns) {
  EXPECT_EQ(DisplayWidth("\u231A"), 2) << "watch";
  EXPECT_EQ(DisplayWidth("\u2705"), 2) << "white heavy check mark";
  EXPECT_EQ(DisplayWidth("\u2B50"), 2) << "star";
  EXPECT_EQ(DisplayWidth("\u2713"), 1) << "check mark";
  EXPECT_EQ(DisplayWidth("\U0001F600"), 2) << "face";
  EXPECT_EQ(DisplayWidth("\U0001F9EA"), 2) << "test tube";
  EXPECT_EQ(DisplayWidth("\uAC00"), 2) << "Hangul syllable";
  EXPECT_EQ(DisplayWidth("\uFF21"), 2) << "fullwidth A";
}

TEST(TextLayoutTest, MarksTakeNoColumn) {
  EXPECT_EQ(DisplayWidth("e\u0301"), 1) << "acute";
  EXPECT_EQ(DisplayWidth("\u0915\u0902"), 1) << "Devanagari anusvara";
  EXPECT_EQ(DisplayWidth("\u05E9\u05C1"), 1) << "Hebrew shin dot";
  EXPECT_EQ(DisplayWidth("a\u200Bb"), 2) << "zero width space";
  EXPECT_EQ(DisplayWidth("\u2764\uFE0F"), 1) << "a variation selector adds nothing";
  EXPECT_EQ(DisplayWidth("\xED\xA0\x80"), 3) << "a surrogate is three broken bytes";
}

TEST(TextLayoutTest, OneLineHoldsNoControlCharacters) {
  EXPECT_EQ(OneLine("a\nb\x1b[31mc\td"), "a b [31mc d");
  EXPECT_EQ(PipedLine("a\nb\x1b[31mc\td"), "a b [31mc\td");
  EXPECT_EQ(OneLine("a\xFFz"), "a?z");
  EXPECT_EQ(OneLine("ana\xE2\x80\xAE"
                    "bob\xE2\x81\xA6z\xE2\x80\xA8"),
            "ana bob z ")
      << "marks that turn text around";
  EXPECT_EQ(DisplayWidth("a\xE2\x80\xAE"), 2);
  EXPECT_EQ(OneLine("ok \xE2\x9C\x93"), "ok ✓");
}

TEST(TextLayoutTest, FitCutsAtColumns) {
  EXPECT_EQ(FitWidth("short", 10, true), "short");
  EXPECT_EQ(FitWidth("a long name", 6, true), "a lon…");
  EXPECT_EQ(FitWidth("a long name", 6, false), "a l...");
  EXPECT_EQ(FitWidth("模型模型", 5, true), "模型…");
  EXPECT_EQ(FitWidth("模型模型", 6, true), "模型…");  // half a character is not drawn
  EXPECT_EQ(FitWidth("abc", 2, false), "..");
}

TEST(TextLayoutTest, BarWithAndWithoutUnicode) {
  EXPECT_EQ(Bar(0.5, 4, true), "██░░");
  EXPECT_EQ(Bar(0.5, 4, false), "##--");
  EXPECT_EQ(Bar(2.0, 3, false), "###");
  EXPECT_EQ(Bar(std::nan(""), 3, false), "---");
}

Table Sample() {
  Table table;
  table.header = {"JOB", "NAME", "STATE"};
  table.rows = {{"j-1", "a-name-that-is-quite-long-for-a-table", "RUNNING"}, {"j-2", "", "FAILED"}};
  table.shrinkable = {1};
  table.state_column = 2;
  return table;
}

TEST(TextLayoutTest, TableIsNotCutOnAPipe) {
  EXPECT_EQ(RenderTable(Sample(), TextStyle()),
            "JOB  NAME                                   STATE\n"
            "j-1  a-name-that-is-quite-long-for-a-table  RUNNING\n"
            "j-2  -                                      FAILED\n");
}

TEST(TextLayoutTest, TableFitsTheTerminal) {
  TextStyle style;
  style.columns = 30;
  const std::string text = RenderTable(Sample(), style);
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    EXPECT_LE(DisplayWidth(line), 30) << line;
  }
  EXPECT_TRUE(absl::StrContains(text, "a-name-that-i...  RUNNING")) << text;
}

TEST(TextLayoutTest, ColourOnlyWhenAskedFor) {
  TextStyle style;
  EXPECT_FALSE(absl::StrContains(RenderTable(Sample(), style), "\x1b"));
  style.color = true;
  const std::string text = RenderTable(Sample(), style);
  EXPECT_TRUE(absl::StrContains(text, "\x1b[31mFAILED\x1b[0m")) << text;
}

}  // namespace
}  // namespace fpo::ctl
