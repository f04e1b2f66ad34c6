#include "train/findings/findings_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_split.h"
#include "tests/train/findings/some_findings.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(FindingsText, IsShortAndItsTextsDoNothingToATerminal) {
  const std::string text = FindingsText(SomeFindings());
  EXPECT_THAT(text, HasSubstr("agrees with 80.0 % of them"));
  EXPECT_THAT(text, HasSubstr("Of 15 labels swapped on purpose 60 % came"));
  EXPECT_THAT(text, HasSubstr("feature 812"));
  EXPECT_THAT(text, HasSubstr("of 20 evaluation pairs 2 are training pairs"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, Not(HasSubstr("\x7f")));
  EXPECT_THAT(text, Not(HasSubstr("\u202E")));
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    EXPECT_LE(line.size(), 100u) << line;
  }
}

}  // namespace
}  // namespace fpo::train
