#include "train/optim/schedule.h"

#include "gtest/gtest.h"

namespace fpo::train {
namespace {

TEST(LearningRate, WarmsUpFromTheFirstStep) {
  const ScheduleOptions options = {ScheduleKind::kConstant, 8.0, 4, 0};
  EXPECT_DOUBLE_EQ(LearningRate(options, 1), 2);
  EXPECT_DOUBLE_EQ(LearningRate(options, 4), 8);
  EXPECT_DOUBLE_EQ(LearningRate(options, 1000), 8);
}

TEST(LearningRate, NoWarmupStartsAtTheFullRate) {
  EXPECT_DOUBLE_EQ(LearningRate({ScheduleKind::kConstant, 8.0, 0, 0}, 1), 8);
  EXPECT_DOUBLE_EQ(LearningRate({ScheduleKind::kCosine, 8.0, 0, 10}, 1), 8);
}

TEST(LearningRate, LinearFallsToZeroOverTheRest) {
  const ScheduleOptions options = {ScheduleKind::kLinear, 8.0, 2, 6};
  EXPECT_DOUBLE_EQ(LearningRate(options, 2), 8);
  EXPECT_DOUBLE_EQ(LearningRate(options, 3), 8);
  EXPECT_DOUBLE_EQ(LearningRate(options, 5), 4);
  EXPECT_DOUBLE_EQ(LearningRate(options, 6), 2);
  EXPECT_DOUBLE_EQ(LearningRate(options, 7), 0);
  EXPECT_DOUBLE_EQ(LearningRate(options, 99), 0);
}

TEST(LearningRate, CosineIsHalfAtTheMiddle) {
  const ScheduleOptions options = {ScheduleKind::kCosine, 8.0, 2, 12};
  EXPECT_DOUBLE_EQ(LearningRate(options, 3), 8);
  EXPECT_NEAR(LearningRate(options, 8), 4, 1e-12);
  EXPECT_NEAR(LearningRate(options, 13), 0, 1e-12);
}

TEST(ScheduleKind, ParsesItsNames) {
  EXPECT_EQ(*ParseScheduleKind("constant"), ScheduleKind::kConstant);
  EXPECT_EQ(*ParseScheduleKind("linear"), ScheduleKind::kLinear);
  EXPECT_EQ(*ParseScheduleKind("cosine"), ScheduleKind::kCosine);
  EXPECT_FALSE(ParseScheduleKind("step").ok());
}

}  // namespace
}  // namespace fpo::train
