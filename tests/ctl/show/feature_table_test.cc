#include "ctl/show/feature_table.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/features/sample_report.h"

namespace fpo::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(FeatureTableTest, ShowsWhatMovedWhereItFiresAndTheFit) {
  const std::string text = RenderFeatures({SampleReport()}, {0}, {}, {});
  EXPECT_THAT(text, HasSubstr("fpo, the first 4 of 9 pairs of /data/eval.jsonl; before: "
                              "/models/base, after: /runs/a/model\n"));
  EXPECT_THAT(text, HasSubstr("/saes/params.npz  layer 2 resid_post  1,024 features  "
                              "labels: /labels\n"));
  EXPECT_THAT(
      text,
      HasSubstr(
          "\nmoved most on chosen\n"
          "FEATURE  LABEL       BEFORE  AFTER  CHANGE  MEAN |CHANGE|  SHARE   FIRES IN\n"
          "3        apologises  0.75    0.125  -0.625  0.625          50 %    100 % -> 25 %\n"
          "5        -           0.25    0.5    +0.25   0.25           12.5 %  50 % -> 50 %\n"));
  EXPECT_THAT(text,
              HasSubstr("3  apologises\n  row 17 rejected, 4.5 -> 0.25:  ... I [[am]] sorry"));
  EXPECT_THAT(text, HasSubstr("variance not explained (FVU)    0.25    0.5\n"));
  EXPECT_THAT(text, HasSubstr("loss recovered                  0.938   -\n")) << "not 0";
}

TEST(FeatureTableTest, SeveralRunsStandSideBySide) {
  FeatureReport other = SampleReport();
  other.job = "tiny-dpo";
  other.saes[0].chosen = {8};
  other.saes[0].moved = {other.saes[0].others[0]};
  other.saes[0].others.clear();
  const std::string text = RenderFeatures({SampleReport(), other}, {0}, {}, {});
  EXPECT_THAT(text, HasSubstr("tiny-dpo: fpo, the first 4"));
  EXPECT_THAT(text, HasSubstr("TINY-FPO BEFORE  AFTER  CHANGE  TINY-DPO BEFORE  AFTER  CHANGE\n"));
  EXPECT_THAT(text, HasSubstr("3        apologises  0.75             0.125  -0.625  "
                              "-                -      <0.0625\n"));
  EXPECT_THAT(text, HasSubstr("8        -           0.25             0.375  +0.125  "
                              "0.25             0.375  +0.125\n"));
  EXPECT_THAT(text, HasSubstr("  tiny-fpo: row 17 rejected"));
}

TEST(FeatureTableTest, OptionsLimitRowsAndTexts) {
  const std::string text = RenderFeatures({SampleReport()}, {0}, {1, 0}, {});
  EXPECT_THAT(text, Not(HasSubstr("\n5        -           0.25")));
  EXPECT_THAT(text, Not(HasSubstr("fire strongest")));
}

// Rows and labels are written by others: no line break or escape of theirs reaches the terminal.
TEST(FeatureTableTest, TextsAreOneLine) {
  FeatureReport report = SampleReport();
  report.saes[0].moved[0].label = "a\n\x1b[31mred";
  report.saes[0].moved[0].spans[0].tokens[0] = "b\n\x1b[31m";
  const std::string text = RenderFeatures({report}, {0}, {}, {});
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, HasSubstr("a  [31mred"));
}

}  // namespace
}  // namespace fpo::ctl
