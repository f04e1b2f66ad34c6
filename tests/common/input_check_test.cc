#include "common/input_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fpo {
namespace {

using ::testing::ElementsAre;

TEST(InputCheckTest, ComesBackFromJson) {
  const InputCheck check = {{{0, "data.train", "row 1: \"odd\"\n"}, {0, "model.path", "absent"}},
                            {"half of the rows are left out", "\xC3\xA9"},
                            1000};
  const auto back = ParseInputCheck(InputCheckJson(check));
  ASSERT_TRUE(back.ok()) << back.status();
  ASSERT_EQ(back->problems.size(), 2u);
  EXPECT_EQ(back->problems[0].key, "data.train");
  EXPECT_EQ(back->problems[0].message, "row 1: \"odd\"\n");
  EXPECT_THAT(back->warnings, ElementsAre("half of the rows are left out", "\xC3\xA9"));
  EXPECT_EQ(back->rows, 1000);
}

TEST(InputCheckTest, OtherTextIsRefused) {
  for (const char* text : {"", "[]", "{}", R"({"problems": [], "warnings": 1})",
                           R"({"problems": [], "warnings": [1], "rows": 1})",
                           R"({"problems": [{"key": 1}], "warnings": [], "rows": 1})"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseInputCheck(text).status())) << text;
  }
}

}  // namespace
}  // namespace fpo
