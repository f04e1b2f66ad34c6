#include "train/rows/row_fields.h"

#include <gtest/gtest.h>

#include "nlohmann/json.hpp"

namespace fpo::train {
namespace {

using nlohmann::json;

TEST(RowFieldsTest, NullIsAbsent) {
  const json row = json::parse(R"({"a":null,"b":"x","c":[1],"d":{}})");
  EXPECT_FALSE(HasField(row, "a"));
  EXPECT_FALSE(HasField(row, "z"));
  EXPECT_TRUE(HasString(row, "b"));
  EXPECT_TRUE(HasList(row, "c"));
  EXPECT_TRUE(HasObject(row, "d"));
  EXPECT_EQ(FirstField(row, {"a", "c", "b"}), "c");
  EXPECT_EQ(FirstField(row, {"a"}), "");
  EXPECT_FALSE(HasField(json(5), "a"));
}

TEST(RowFieldsTest, NumbersAndIds) {
  const json row = json::parse(R"({"n":2.5,"t":"2","ids":[2,7],"bad":[-1]})");
  EXPECT_EQ(NumberOf(row, "n"), 2.5);
  EXPECT_EQ(NumberOf(row, "t"), std::nullopt);
  EXPECT_EQ(TakeIds(row, "ids")->size(), 2u);
  EXPECT_FALSE(TakeIds(row, "bad").ok());
  EXPECT_TRUE(IsMissingField(TakeIds(row, "none").status()));
  EXPECT_TRUE(IsMissingField(TakeString(row, "none").status()));
  EXPECT_FALSE(IsMissingField(TakeString(row, "n").status()));
}

TEST(RowFieldsTest, PromptTexts) {
  EXPECT_FALSE(PromptTextOf({{"prompt", "p"}})->is_turn);
  const auto alpaca = PromptTextOf({{"instruction", "Add."}, {"input", "1 2"}});
  EXPECT_EQ(alpaca->text, "Add.\n1 2");
  EXPECT_TRUE(alpaca->is_turn);
  EXPECT_EQ(PromptTextOf({{"instruction", "Add."}, {"input", ""}})->text, "Add.");
  EXPECT_EQ(PromptTextOf({{"input", "i"}})->text, "i");
  EXPECT_FALSE(PromptTextOf({{"prompt", {1}}}).has_value());
}

}  // namespace
}  // namespace fpo::train
