#include "train/loss/feature_constraint.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"
#include "train/ops/fast_paths.h"

namespace fpo::train {
namespace {

at::Tensor Row(std::vector<double> values) { return at::tensor(values, at::kDouble).unsqueeze(0); }

TEST(TopIndices, TiesGoToTheLowestIndex) {
  const at::Tensor values = at::cat({Row({1, 3, 3, 0, 3, 2}), Row({0, 0, 0, 0, 5, 0})});
  EXPECT_TRUE(at::equal(TopIndices(values, 2), at::tensor({1, 2, 0, 4}, at::kLong).view({2, 2})));
  EXPECT_TRUE(at::equal(TopIndices(values, 4),
                        at::tensor({1, 2, 4, 5, 0, 1, 2, 4}, at::kLong).view({2, 4})));
}

// A feature that is not a number must not be left out: the loss has to show it.
TEST(TopIndices, TakesNaNFirst) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const bool fast : {true, false}) {
    const FastPathsInScope paths({fast});
    EXPECT_TRUE(
        at::equal(TopIndices(Row({1, 5, nan, 4}), 2), at::tensor({1, 2}, at::kLong).view({1, 2})));
    EXPECT_TRUE(at::equal(TopIndices(Row({nan, 5, nan, nan}), 2),
                          at::tensor({0, 2}, at::kLong).view({1, 2})));
  }
  const at::Tensor policy = Row({1, nan, 2, 3}), reference = Row({1, 2, 3, 4});
  EXPECT_TRUE(std::isnan(
      FeatureDistance(policy, reference, {1, FeatureSelection::kUnion, {}}).item<double>()));
}

TEST(TopIndices, KeepsAllWhenKIsLarger) {
  EXPECT_TRUE(at::equal(TopIndices(Row({2, 1}), 50), at::tensor({0, 1}, at::kLong).view({1, 2})));
}

TEST(TopIndices, AgreesWithASortOnManyRows) {
  at::manual_seed(1);
  // Whole numbers make ties certain.
  const at::Tensor values = at::randint(0, 9, {40, 64}, at::kFloat);
  const at::Tensor order = at::argsort(values, /*stable=*/true, 1, /*descending=*/true);
  const at::Tensor expected = std::get<0>(order.narrow(1, 0, 10).sort(1));
  for (const bool fast : {true, false}) {
    const FastPathsInScope paths({fast});
    EXPECT_TRUE(at::equal(TopIndices(values, 10), expected)) << fast;
  }
}

// Each once, although both models have some among their largest.
TEST(SelectColumns, OfAUnionCountsEachFeatureOnce) {
  const at::Tensor policy = Row({9, 8, 0, 7, 0}), reference = Row({0, 9, 8, 7, 0});
  const at::Tensor phi = at::tensor({1.0, 2.0, 3.0, 4.0, 5.0}, at::kDouble);
  const SelectedColumns selected =
      SelectColumns(policy, reference, {3, FeatureSelection::kUnion, phi});
  EXPECT_TRUE(at::equal(selected.columns, at::tensor({0, 1, 3, 1, 2, 3}, at::kLong).view({1, 6})));
  EXPECT_TRUE(at::equal(selected.scale, Row({1, 2, 4, 0, 3, 0})));
}

TEST(FeatureDistance, SelectsByPolicyReferenceOrBoth) {
  const at::Tensor policy = Row({5, 0, 1, 0}), reference = Row({0, 4, 0, 2});
  const auto distance = [&](int64_t k, FeatureSelection selection) {
    return FeatureDistance(policy, reference, {k, selection, {}}).item<double>();
  };
  EXPECT_DOUBLE_EQ(distance(1, FeatureSelection::kPolicy), 25);
  EXPECT_DOUBLE_EQ(distance(1, FeatureSelection::kReference), 16);
  EXPECT_DOUBLE_EQ(distance(1, FeatureSelection::kUnion), 41);        // divisor k, although |I| = 2
  EXPECT_DOUBLE_EQ(distance(2, FeatureSelection::kUnion), 46 / 2.0);  // I = {0, 2} and {1, 3}
}

TEST(FeatureDistance, IsQuadraticInTheScale) {
  at::manual_seed(2);
  const at::Tensor policy = at::rand({3, 20}), reference = at::rand({3, 20});
  const FeatureConstraintOptions options = {5, FeatureSelection::kUnion, {}};
  const at::Tensor once = FeatureDistance(policy, reference, options);
  EXPECT_LT(RelativeError(FeatureDistance(policy * 2, reference * 2, options), once * 4), 1e-6);
}

TEST(FeatureDistance, GradientIsTwoOverKTimesTheDifference) {
  at::manual_seed(3);
  const at::Tensor policy = at::rand({2, 12}, at::kDouble).set_requires_grad(true);
  const at::Tensor reference = at::rand({2, 12}, at::kDouble);
  const at::Tensor weights = at::rand({12}, at::kDouble);
  FeatureConstraintOptions options = {3, FeatureSelection::kReference, weights};
  const at::Tensor distance = FeatureDistance(policy, reference, options);
  const at::Tensor grad = torch::autograd::grad({distance.sum()}, {policy})[0];
  const at::Tensor columns = TopIndices(reference, 3);
  at::Tensor expected = at::zeros_like(reference);
  expected.scatter_(1, columns,
                    ((policy.detach() - reference) * weights * (2.0 / 3)).gather(1, columns));
  EXPECT_LT(RelativeError(grad, expected), 1e-14);
  // The same from the selected columns alone.
  const at::Tensor few = ColumnDistance(policy.gather(1, columns), reference.gather(1, columns), 3,
                                        weights.expand({2, 12}).gather(1, columns));
  EXPECT_LT(RelativeError(few, distance), 1e-14);
}

TEST(FeatureDistance, WeightZeroFreesAFeature) {
  const at::Tensor policy = Row({5, 0, 1, 0}), reference = Row({0, 4, 0, 2});
  const at::Tensor weights = at::tensor({0.0, 1.0, 1.0, 10.0}, at::kDouble);
  EXPECT_DOUBLE_EQ(
      FeatureDistance(policy, reference, {2, FeatureSelection::kUnion, weights}).item<double>(),
      (16 + 1 + 40) / 2.0);
}

TEST(FeatureDistance, RefusesShapesThatDoNotFit) {
  EXPECT_THROW(FeatureDistance(Row({1, 2}), Row({1}), {1, FeatureSelection::kUnion, {}}),
               c10::Error);
  EXPECT_THROW(
      FeatureDistance(Row({1, 2}), Row({1, 2}), {1, FeatureSelection::kUnion, at::ones({3})}),
      c10::Error);
}

TEST(FeatureSelection, ParsesItsNames) {
  EXPECT_EQ(*ParseFeatureSelection("union"), FeatureSelection::kUnion);
  EXPECT_EQ(*ParseFeatureSelection("reference"), FeatureSelection::kReference);
  EXPECT_EQ(*ParseFeatureSelection("policy"), FeatureSelection::kPolicy);
  EXPECT_NE(ParseFeatureSelection("both").status().message().find("\"both\""), std::string::npos);
}

}  // namespace
}  // namespace fpo::train
