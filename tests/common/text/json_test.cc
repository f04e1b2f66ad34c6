#include "common/text/json.h"

#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace fpo {
namespace {

using ::testing::HasSubstr;

TEST(Json, WritesWhatItReads) {
  JsonObject object;
  object.Add("text", "a\"b\n\xC3\xA4");
  object.Add("count", int64_t{1} << 60);
  object.Add("share", 0.1);
  object.Add("yes", true);
  object.AddRaw("list", JsonArray({"1", "2"}));
  const auto value = ParseJson(object.Text());
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(value->at("text"), "a\"b\n\xC3\xA4");
  EXPECT_EQ(value->at("count"), int64_t{1} << 60);
  EXPECT_EQ(value->at("share"), 0.1);
  EXPECT_EQ(value->at("yes"), true);
  EXPECT_EQ(value->at("list").size(), 2u);
}

TEST(Json, NumbersReadBackExactly) {
  for (double value : {0.1, 1e-300, 5e-7, 123456789.123}) {
    EXPECT_EQ(ParseJson(JsonNumber(value))->get<double>(), value);
  }
  EXPECT_EQ(JsonNumber(std::nan("")), "null");
}

TEST(Json, RefusesWhatIsNotOneValue) {
  for (const char* text : {"", "{", "[1,]", "{\"a\":1} x", "{\"a\":1,\"a\":2}", "nul"}) {
    EXPECT_EQ(ParseJson(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_FALSE(ParseJson(std::string(1000, '[')).ok());
}

TEST(Json, SaysWhatIsWrong) {
  EXPECT_THAT(ParseJson("{\"a\":{\"b\":1,\"b\":2}}").status().message(),
              HasSubstr("the key \"b\" appears twice in one object"));
  EXPECT_THAT(ParseJson("{\n  nul").status().message(), HasSubstr("line 2, column "));
}

TEST(Json, TheSameKeyInOtherObjectsIsFine) {
  EXPECT_TRUE(ParseJson(R"({"a":{"b":1},"c":{"b":1},"b":[{"b":1},{"b":1}]})").ok());
}

TEST(Json, SixtyFourLevelsAreRead) {
  const auto nested = [](size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
  };
  EXPECT_TRUE(ParseJson(nested(64)).ok());
  EXPECT_THAT(ParseJson(nested(65)).status().message(), HasSubstr("more than 64 levels"));
  EXPECT_FALSE(ParseJson(nested(100'000)).ok());
  EXPECT_FALSE(ParseJson(std::string(64, '[') + R"({"a":{"b":1}})" + std::string(64, ']')).ok());
}

TEST(Json, IntegersBeyondInt64AreNumbers) {
  const auto object = ParseJson(R"({"a":9223372036854775807,"b":9223372036854775808})");
  int64_t integer = 0;
  double number = 0;
  ASSERT_TRUE(ReadMember(*object, "a", &integer).ok());
  EXPECT_EQ(integer, std::numeric_limits<int64_t>::max());
  EXPECT_THAT(ReadMember(*object, "b", &integer).message(), HasSubstr("got a number"));
  ASSERT_TRUE(ReadMember(*object, "b", &number).ok());
  EXPECT_EQ(number, 9223372036854775808.0);
}

TEST(Json, MembersOfAnotherTypeAreNamed) {
  const auto object = ParseJson(R"({"a":"x"})");
  int64_t number = 7;
  const absl::Status status = ReadMember(*object, "a", &number);
  EXPECT_NE(status.message().find("a"), absl::string_view::npos);
  EXPECT_FALSE(status.ok());
  EXPECT_TRUE(ReadMember(*object, "b", &number).ok());
  EXPECT_EQ(number, 7);
}

}  // namespace
}  // namespace fpo
