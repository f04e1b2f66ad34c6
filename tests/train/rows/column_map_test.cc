#include "train/rows/column_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nlohmann/json.hpp"
#include "train/rows/preference_dataset.h"

namespace fpo::train {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

TEST(ColumnMapTest, RenamesColumnsAndPaths) {
  json row = {{"q", "x"}, {"answers", {{{"text", "a"}}, {{"text", "b"}}}}, {"prompt", "old"}};
  ASSERT_TRUE(
      RenameColumns({{"prompt", "q"}, {"chosen", "answers.0.text"}, {"rejected", "answers.1.text"}},
                    &row)
          .ok());
  EXPECT_EQ(row["prompt"], "x");
  EXPECT_EQ(row["chosen"], "a");
  EXPECT_EQ(row["rejected"], "b");
  EXPECT_FALSE(row.contains("q"));
}

TEST(ColumnMapTest, ColumnsMayTradeNames) {
  json row = {{"chosen", "a"}, {"rejected", "b"}};
  ASSERT_TRUE(RenameColumns({{"chosen", "rejected"}, {"rejected", "chosen"}}, &row).ok());
  EXPECT_EQ(row, json({{"chosen", "b"}, {"rejected", "a"}}));
}

TEST(ColumnMapTest, AMissingColumnIsNamed) {
  json row = {{"a", 1}};
  EXPECT_THAT(
      std::string(RenameColumns({{"prompt", "question"}}, &row).message()),
      HasSubstr("no column 'question' for data.columns.prompt; the row has the field \"a\""));
}

TEST(ColumnMapTest, MakesAnyRowReadable) {
  const RowFormat format{"auto",
                         {{"prompt", "frage"}, {"chosen", "gut"}, {"rejected", "schlecht"}}};
  const auto row =
      ParsePreferenceRow(R"({"frage":"p","gut":"c","schlecht":"r","text":"x"})", format, nullptr);
  ASSERT_TRUE(row.ok()) << row.status();
  EXPECT_EQ(row->kind, PreferenceRow::Kind::kStrings);
  EXPECT_EQ(row->rejected, "r");
}

}  // namespace
}  // namespace fpo::train
