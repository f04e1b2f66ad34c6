#include "common/text/json.h"

#include <cmath>

#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(Json, WritesWhatItReads) {
  JsonObject object;
  object.Add("text", "a\"b\n\xC3\xA4");
  object.Add("count", int64_t{1} << 60);
  object.Add("share", 0.1);
  object.Add("yes", true);
  object.AddRaw("list", JsonArray({"1", "2"}));
  const auto value = ParseJson(object.Text());
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(value->Find("text")->AsString(), "a\"b\n\xC3\xA4");
  EXPECT_EQ(value->Find("count")->AsInteger(), int64_t{1} << 60);
  EXPECT_EQ(value->Find("share")->AsNumber(), 0.1);
  EXPECT_TRUE(value->Find("yes")->AsBool());
  EXPECT_EQ(value->Find("list")->Items().size(), 2u);
}

TEST(Json, NumbersReadBackExactly) {
  for (double value : {0.1, 1e-300, 5e-7, 123456789.123}) {
    EXPECT_EQ(ParseJson(JsonNumber(value))->AsNumber(), value);
  }
  EXPECT_EQ(JsonNumber(std::nan("")), "null");
}

TEST(Json, RefusesWhatIsNotOneValue) {
  for (const char* text : {"", "{", "[1,]", "{\"a\":1} x", "{\"a\":1,\"a\":2}", "nul"}) {
    EXPECT_EQ(ParseJson(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_FALSE(ParseJson(std::string(1000, '[')).ok());
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
