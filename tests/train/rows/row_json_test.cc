#include "train/rows/row_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nlohmann/json.hpp"

namespace fpo::train {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

struct RefusedRow {
  std::string why;
  size_t bad = std::string::npos;
};

RefusedRow RowJsonFault(const std::string& text) {
  RefusedRow refused;
  refused.why = std::string(ParseRowJson(text, &refused.bad).status().message());
  return refused;
}

json Parsed(const std::string& text) {
  size_t bad = 0;
  const auto row = ParseRowJson(text, &bad);
  EXPECT_TRUE(row.ok()) << row.status();
  return row.ok() ? *row : json();
}

TEST(RowJsonTest, ParsesWhatTheLibraryParses) {
  const std::string text =
      R"({"a":[1,-2,3.5,true,null,"x",{"b":{}}],"c":[],"d":18446744073709551615})";
  EXPECT_EQ(Parsed(text), json::parse(text));
  EXPECT_EQ(Parsed(" 5 "), json(5));
}

TEST(RowJsonTest, SaysWhatAndWhere) {
  RefusedRow refused = RowJsonFault(R"({"a":"\ud83d","b":1})");
  EXPECT_EQ(refused.why,
            "not JSON: half of a surrogate pair (\\ud83d or the like), which is no character");
  EXPECT_EQ(refused.bad, 12u);
  refused = RowJsonFault(R"({"a":tru})");
  EXPECT_THAT(refused.why, HasSubstr("not JSON: parsing value - invalid literal"));
  EXPECT_EQ(refused.bad, 8u);
  EXPECT_THAT(RowJsonFault(R"({"a":1} {"b":2})").why, HasSubstr("expected end of input"));
  EXPECT_THAT(RowJsonFault("{\"a\":1,\"b\":2,\"a\":3}").why,
              HasSubstr("the key \"a\" appears twice"));
  EXPECT_THAT(RowJsonFault(R"({"x":{"a":1,"a":1}})").why, HasSubstr("the key \"a\" appears twice"));
}

TEST(RowJsonTest, RepeatedKeysAndDeepListsHaveTheirPlace) {
  EXPECT_EQ(RowJsonFault(R"({"a":1,"b":"\"a\":","c":{"a":2},"a":3})").bad, 32u);
  EXPECT_EQ(RowJsonFault(R"({"x":[{"k":1}],"y":{"k":1, "k" :2}})").bad, 27u);
  EXPECT_EQ(RowJsonFault("{\"a\":" + std::string(200000, '[')).bad, 5u + 99u);
}

TEST(RowJsonTest, TheSameKeyMayStandInTwoObjects) {
  EXPECT_EQ(Parsed(R"([{"a":1},{"a":{"a":2}}])").size(), 2u);
}

TEST(RowJsonTest, NestingIsLimited) {
  const auto nested = [](int levels) {
    return "{\"a\":" + std::string(static_cast<size_t>(levels), '[') +
           std::string(static_cast<size_t>(levels), ']') + "}";
  };
  EXPECT_EQ(Parsed(nested(99)).size(), 1u);
  EXPECT_THAT(RowJsonFault(nested(100)).why, HasSubstr("nested more than 100 deep"));
  EXPECT_THAT(RowJsonFault(nested(200000)).why, HasSubstr("nested more than 100 deep"));
  EXPECT_THAT(RowJsonFault(std::string(200000, '[')).why, HasSubstr("nested more than 100 deep"));
  std::string objects;
  for (int i = 0; i < 200000; ++i) objects += "{\"a\":";
  EXPECT_THAT(RowJsonFault(objects).why, HasSubstr("nested more than 100 deep"));
}

TEST(RowJsonTest, NumbersThatAreNoneCostNothing) {
  const json row = Parsed(R"({"s":NaN,"t":[Infinity,-Infinity],"u":"NaN \" Infinity","v":1})");
  EXPECT_EQ(row["s"], "");
  EXPECT_EQ(row["u"], "NaN \" Infinity");
  EXPECT_EQ(row["v"], 1);
  const RefusedRow refused = RowJsonFault(R"({"s":NaN,"t":tru})");
  EXPECT_EQ(refused.bad, 16u) << "places stay those of the file";
}

}  // namespace
}  // namespace fpo::train
