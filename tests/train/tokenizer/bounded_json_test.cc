#include "train/tokenizer/bounded_json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

std::string Error(const std::string& text, const std::vector<JsonTap>& taps = {},
                  JsonLimits limits = {}) {
  const auto json = ParseBoundedJson(text, "x.json", taps, limits);
  EXPECT_TRUE(absl::IsDataLoss(json.status())) << json.status() << " for " << text;
  EXPECT_TRUE(absl::StartsWith(json.status().message(), "x.json ")) << json.status();
  return std::string(json.status().message());
}

TEST(BoundedJsonTest, ReadsWhatTheLibraryReads) {
  for (const char* text :
       {"null", "3", "\"a\"", "[]", "{}",
        R"({"a":[1,-2,2.5,true,null,{"b":[[],{}]}],"c":"\u00e9"})", "18446744073709551615"}) {
    const auto json = ParseBoundedJson(text, "x.json");
    ASSERT_TRUE(json.ok()) << json.status();
    EXPECT_EQ(*json, Json::parse(text));
  }
}

TEST(BoundedJsonTest, RefusesWhatIsNoJson) {
  for (const char* text : {"", "{", "[1,]", "{\"a\":}", "nul", "NaN", "{} {}", "\"\\ud83d\"",
                           "\"\\ude00x\"", "\"\xff\"", "[1", "{\"a\":1"}) {
    EXPECT_TRUE(absl::StrContains(Error(text), "is not JSON")) << text;
  }
  EXPECT_LT(Error("[\"" + std::string(5000, 'a')).size(), 300u);
}

TEST(BoundedJsonTest, Bounds) {
  EXPECT_TRUE(ParseBoundedJson(std::string(32, '[') + std::string(32, ']'), "x.json").ok());
  EXPECT_TRUE(absl::StrContains(Error(std::string(200000, '[')), "deeper than 32"));
  EXPECT_TRUE(absl::StrContains(Error("[1,2,3,4]", {}, {32, 4}), "more than 4 values"));
  EXPECT_TRUE(absl::StrContains(Error(R"({"a":{"b":1,"b":2}})"), "\"b\" twice in a"));
}

TEST(BoundedJsonTest, TapsTakeTheLongLists) {
  std::vector<std::pair<std::string, int64_t>> numbers;
  std::vector<std::vector<std::string>> lists;
  JsonTap vocabulary{{"m", "v"}, nullptr, nullptr}, merges{{"m", "l"}, nullptr, nullptr};
  vocabulary.on_number = [&](std::string key, int64_t value) {
    numbers.emplace_back(std::move(key), value);
    return value < 100 ? absl::OkStatus() : absl::DataLossError("x.json too big");
  };
  merges.on_strings = [&](std::vector<std::string> strings) {
    lists.push_back(std::move(strings));
    return absl::OkStatus();
  };
  const std::vector<JsonTap> taps = {vocabulary, merges};
  const auto json = ParseBoundedJson(
      R"({"v":{"k":7},"m":{"v":{"a":1,"b":-2},"l":["x y",["p","q"],[]],"z":3}})", "x.json", taps);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(*json, Json::parse(R"({"v":{"k":7},"m":{"v":{},"l":[],"z":3}})"));
  EXPECT_EQ(numbers, (std::vector<std::pair<std::string, int64_t>>{{"a", 1}, {"b", -2}}));
  EXPECT_EQ(lists, (std::vector<std::vector<std::string>>{{"x y"}, {"p", "q"}, {}}));
  EXPECT_TRUE(absl::StrContains(Error(R"({"m":{"v":{"a":1000}}})", taps), "too big"));
  EXPECT_TRUE(absl::StrContains(Error(R"({"m":{"v":{"a":"1"}}})", taps), R"(m.v holds "a")"));
  EXPECT_TRUE(absl::StrContains(Error(R"({"m":{"v":{"a":1.5}}})", taps), R"(m.v holds "a")"));
  EXPECT_TRUE(absl::StrContains(Error(R"({"m":{"v":{"a":{}}}})", taps), R"(m.v holds "a")"));
  lists.clear();
  EXPECT_TRUE(absl::StrContains(Error(R"({"m":{"l":["a b",3]}})", taps), "m.l[1]"));
  EXPECT_TRUE(absl::StrContains(Error(R"({"m":{"l":[["a",["b"]]]}})", taps), "m.l[0]"));
  EXPECT_TRUE(absl::StrContains(Error(R"({"m":{"l":[{"a":1}]}})", taps), "m.l[0]"));
}

}  // namespace
}  // namespace fpo::train
