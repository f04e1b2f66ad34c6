#include "train/verdicts/csv_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(CsvTextTest, QuotedFieldsHoldCommasQuotesAndLineEnds) {
  const auto table = ParseCsv("a,b\r\n1,\"two, \"\"and\"\"\nmore\"\n\n,3", "t.csv");
  ASSERT_TRUE(table.ok()) << table.status();
  ASSERT_EQ(table->rows.size(), 2u);
  EXPECT_THAT(table->rows[0], ElementsAre("1", "two, \"and\"\nmore"));
  EXPECT_THAT(table->rows[1], ElementsAre("", "3"));
  EXPECT_THAT(table->lines, ElementsAre(2, 5));
  EXPECT_EQ(*ColumnOf(*table, "b", "t.csv"), 1u);
}

TEST(CsvTextTest, ErrorsNameTheLine) {
  const auto error = [](absl::string_view text) {
    return std::string(ParseCsv(text, "t.csv").status().message());
  };
  EXPECT_THAT(error(""), HasSubstr("t.csv:1: the file is empty"));
  EXPECT_THAT(error("a,a\n"), HasSubstr("has \"a\" twice"));
  EXPECT_THAT(error("a,b\n1,2\n1\n"), HasSubstr("t.csv:3: 1 fields, where the header has 2"));
  EXPECT_THAT(error("a,b\n1,\"2\n3\n"), HasSubstr("t.csv:2: a quote begins here"));
  EXPECT_THAT(error("a,b\n\"1\"x,2\n"), HasSubstr("t.csv:2: text follows"));
  const auto table = ParseCsv("a,b\n", "t.csv");
  EXPECT_THAT(std::string(ColumnOf(*table, "c", "t.csv").status().message()),
              HasSubstr("t.csv has no column \"c\"; it has \"a\", \"b\""));
}

TEST(CsvTextTest, DamagedBytesReturn) {
  FuzzByMutation("a,b\n\"x\"\"y\",2\n3,\"4\n5\"\n", 2000,
                 [](const std::string& bytes) { (void)ParseCsv(bytes, "t.csv"); });
}

}  // namespace
}  // namespace fpo::train
