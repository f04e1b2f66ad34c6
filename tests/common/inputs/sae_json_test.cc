#include "common/inputs/sae_json.h"

#include <nlohmann/json.hpp>

#include "gmock/gmock.h"

namespace fpo::sae_json {
namespace {

using ::testing::HasSubstr;

TEST(SaeJson, MembersOfOtherTypesAreAbsent) {
  const auto json = ParseObject(R"({"a": "x", "b": 3, "c": 2.5, "d": true})", "f");
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(Word(*json, "a"), "x");
  EXPECT_EQ(Word(*json, "b"), "");
  EXPECT_EQ(Whole(*json, "b"), 3);
  EXPECT_FALSE(Whole(*json, "c").has_value());
  EXPECT_EQ(Number(*json, "c"), 2.5);
  EXPECT_EQ(*Flag(*json, "d", false, "f"), true);
  EXPECT_EQ(*Flag(*json, "e", true, "f"), true);
  EXPECT_THAT(std::string(Flag(*json, "a", true, "f").status().message()),
              HasSubstr("a is not true or false"));
  EXPECT_TRUE(absl::IsInvalidArgument(ParseObject("[]", "f").status()));
}

TEST(SaeJson, TopK) {
  SaeDescription description;
  EXPECT_TRUE(SetTopK(32, "f", &description).ok());
  EXPECT_EQ(description.top_k, 32);
  EXPECT_EQ(description.target_l0, 32);
  EXPECT_TRUE(description.plain_relu);
  for (const nlohmann::json& bad : {nlohmann::json(0), nlohmann::json(1.5), nlohmann::json("8"),
                                    nlohmann::json(), nlohmann::json(int64_t{1} << 40)}) {
    EXPECT_TRUE(absl::IsInvalidArgument(SetTopK(bad, "f", &description))) << bad;
  }
}

TEST(SaeJson, SizesThatSaySomething) {
  SaeDescription description;
  SetSizes(24, 0, &description);  // sparsify writes 0 for "by the expansion factor"
  EXPECT_EQ(description.d_in, 24);
  EXPECT_FALSE(description.d_sae.has_value());
}

}  // namespace
}  // namespace fpo::sae_json
