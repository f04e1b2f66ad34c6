#include "train/rows/row_form.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace fpo::train {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(RowFormTest, NamesTheFieldsAndTheForm) {
  EXPECT_EQ(
      DescribeRow(json::parse(R"({"input_ids":[1],"labels":[2],"x":1})")),
      "the row has the fields \"input_ids\", \"labels\", \"x\": rows tokenised elsewhere (name "
      "them prompt_ids and chosen_ids) are not read");
  EXPECT_THAT(DescribeRow(json::parse(R"({"question":"q","choices":[],"answer":0})")),
              HasSubstr("multiple-choice rows are not read"));
  EXPECT_EQ(DescribeRow(json::parse(R"({"question":"q"})")), "the row has the field \"question\"");
  EXPECT_EQ(DescribeRow(json::parse("{}")), "the row has no fields");
}

TEST(RowFormTest, ManyAndStrangeFieldsStayReadable) {
  json row;
  for (int i = 0; i < 30; ++i) row["field" + std::to_string(i)] = i;
  EXPECT_THAT(DescribeRow(row), HasSubstr("\"field10\", "));
  EXPECT_THAT(DescribeRow(row), HasSubstr(", ..."));
  EXPECT_THAT(DescribeRow(json::parse(R"({"a\u001b[2Jb":1})")), Not(HasSubstr("\x1b")));
  EXPECT_LT(DescribeRow({{std::string(10000, 'x'), 1}}).size(), 200u);
}

TEST(RowFormTest, SaysWhatIsWrongWithAMessage) {
  for (const char* message : {R"({"role":"user","content":"a"})", R"({"from":"human","value":"a"})",
                              R"({"role":"assistant","tool_calls":[]})"}) {
    EXPECT_EQ(WhyNoMessage(json::parse(message)), "") << message;
  }
  EXPECT_THAT(WhyNoMessage(json::parse(R"({"speaker":"a","text":"b"})")),
              HasSubstr("has the fields \"speaker\", \"text\", expected \"role\""));
  EXPECT_THAT(WhyNoMessage("a"), HasSubstr("is string"));
}

TEST(RowFormTest, SaysWhyItIsNoJson) {
  EXPECT_EQ(WhyNoJson("nope", ""), "not JSON");
  EXPECT_EQ(WhyNoJson("nope", "bad"), "not JSON: bad");
  EXPECT_THAT(WhyNoJson("{'prompt': 'p'}", "x"), HasSubstr("single quotes"));
  EXPECT_THAT(WhyNoJson("{", "x"), HasSubstr("one array of rows"));
  EXPECT_THAT(WhyNoJson(R"({"prompt":"p","cho)", "x"), HasSubstr("not closed"));
}

}  // namespace
}  // namespace fpo::train
