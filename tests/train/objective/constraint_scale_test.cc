#include "train/objective/constraint_scale.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;

MethodSection SectionOf(const std::string& name, double alpha) {
  MethodSection method;
  method.name = name;
  method.alpha = alpha;
  method.beta = 2;
  return method;
}

std::map<std::string, double> Step(double divergence, double margin) {
  return {{"divergence/rejected", divergence}, {"rewards/margins", margin}};
}

// Gemma-3-270M after three steps.
TEST(ConstraintScaleTest, WarnsOnceAndNamesAnAlpha) {
  ConstraintScale scale(SectionOf("fpo", 0.5));
  EXPECT_EQ(scale.Observe(Step(0, 0)), "") << "policy and reference are one";
  const std::string warning = scale.Observe(Step(76.8, 0.01));
  EXPECT_THAT(warning, HasSubstr("is 76.8 (alpha 0.5, beta 2, divergence/rejected 76.8)"));
  EXPECT_THAT(warning, HasSubstr("method.alpha 0.0005 would"));
  EXPECT_EQ(scale.Observe(Step(200, 0.01)), "");
}

TEST(ConstraintScaleTest, TheNamedAlphaEarnsNoWarning) {
  ConstraintScale scale(SectionOf("fpo", 0.0005));
  EXPECT_EQ(scale.Observe(Step(76.8, 0.01)), "");
  EXPECT_EQ(scale.Observe(Step(200, 0.01)), "");
}

TEST(ConstraintScaleTest, ALargeMarginCarriesALargeConstraint) {
  EXPECT_EQ(ConstraintScale(SectionOf("tdpo2", 0.5)).Observe(Step(8, 1)), "");
  EXPECT_NE(ConstraintScale(SectionOf("tdpo2", 0.5)).Observe(Step(12, 1)), "");
  EXPECT_EQ(ConstraintScale(SectionOf("tdpo2", 0.5)).Observe(Step(12, -2)), "");
}

TEST(ConstraintScaleTest, MethodsWithoutAlphaHaveNoConstraintToScale) {
  for (const char* name : {"sft", "dpo", "ln_dpo", "simpo", "tdpo1"}) {
    EXPECT_EQ(ConstraintScale(SectionOf(name, 0.5)).Observe(Step(1e6, 0)), "") << name;
  }
}

}  // namespace
}  // namespace fpo::train
