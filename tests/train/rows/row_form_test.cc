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
  const std::string kto =
      DescribeRow(json::parse(R"({"prompt":"p","completion":"c","label":true})"));
  EXPECT_EQ(
      kto,
      "the row has the fields \"completion\", \"label\", \"prompt\": KTO rows (one completion "
      "and a label) are not read");
  const std::pair<const char*, const char*> forms[] = {
      {R"({"prompt":"p","completion":"c"})", "prompt-completion"},
      {R"({"conversations":[{"from":"human","value":"a"}]})", "ShareGPT"},
      {R"({"instruction":"i","completions":[],"source":"s"})", "raw UltraFeedback"},
      {R"({"instruction":"i","input":"","output":"o"})", "Alpaca"},
      {R"({"messages":[],"label":false})", "KTO"},
  };
  for (const auto& [row, form] : forms) EXPECT_THAT(DescribeRow(json::parse(row)), HasSubstr(form));
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
  EXPECT_EQ(WhyNoMessage(json::parse(R"({"role":"user","content":"a"})")), "");
  EXPECT_THAT(
      WhyNoMessage(json::parse(R"({"role":"user","content":[{"type":"text","text":"a"}]})")),
      HasSubstr("a list of parts"));
  EXPECT_THAT(WhyNoMessage(json::parse(R"({"role":"assistant","content":null})")),
              HasSubstr("null"));
  EXPECT_THAT(WhyNoMessage(json::parse(R"({"from":"human","value":"a"})")), HasSubstr("ShareGPT"));
  EXPECT_THAT(WhyNoMessage("a"), HasSubstr("is string"));
}

TEST(RowFormTest, SaysWhyItIsNoJson) {
  EXPECT_EQ(WhyNoJson("nope"), "not JSON");
  EXPECT_THAT(WhyNoJson("{'prompt': 'p'}"), HasSubstr("single quotes"));
  EXPECT_THAT(WhyNoJson("{"), HasSubstr("one array of rows"));
  EXPECT_THAT(WhyNoJson(R"({"prompt":"p","cho)"), HasSubstr("not closed"));
}

}  // namespace
}  // namespace fpo::train
