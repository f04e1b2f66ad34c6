#include "train/objective/pair_values.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "train/loss/preference_metrics.h"

namespace fpo::train {
namespace {

at::Tensor Doubles(std::vector<double> values) {
  return at::tensor(values, at::TensorOptions().dtype(at::kDouble));
}

PreferencePairs TwoPairs() {
  PreferencePairs pairs;
  pairs.chosen = {Doubles({-10, -20}), Doubles({-12, -19}), Doubles({4, 5}), {}};
  pairs.rejected = {Doubles({-30, -18}), Doubles({-28, -18}), Doubles({6, 3}), {}};
  return pairs;
}

PairValues Measured(const PreferenceOptions& options, const at::Tensor& kl) {
  PairValues values(2);
  HostValues host;
  values.SetPairs(options, TwoPairs(), kl, &host);
  host.Read();
  return values;
}

TEST(PairValues, DpoByHand) {
  PreferenceOptions options;
  options.method = Method::kDpo;
  options.beta = 0.5;
  const PairValues values = Measured(options, {});
  ASSERT_EQ(values.size(), 2);
  EXPECT_DOUBLE_EQ(*values.Get(PairValues::kRewardsChosen, 0), 1);     // 0.5 (-10 + 12)
  EXPECT_DOUBLE_EQ(*values.Get(PairValues::kRewardsRejected, 0), -1);  // 0.5 (-30 + 28)
  EXPECT_DOUBLE_EQ(*values.Get(PairValues::kRewardsMargin, 0), 2);
  EXPECT_DOUBLE_EQ(*values.Get(PairValues::kLoss, 0), std::log1p(std::exp(-2.0)));
  EXPECT_DOUBLE_EQ(*values.Get(PairValues::kRewardsMargin, 1), -0.5);
  EXPECT_DOUBLE_EQ(*values.Get(PairValues::kLogpsChosen, 1), -20);
  EXPECT_DOUBLE_EQ(*values.Get(PairValues::kReferenceLogpsRejected, 1), -18);
  EXPECT_DOUBLE_EQ(*values.Get(PairValues::kTokensChosen, 1), 5);
  EXPECT_EQ(values.Get(PairValues::kDivergenceChosen, 0), std::nullopt);
  EXPECT_EQ(values.Get(PairValues::kKlChosen, 0), std::nullopt);
}

TEST(PairValues, KlIsSplitIntoItsSides) {
  PreferenceOptions options;
  options.method = Method::kDpo;
  const PairValues values = Measured(options, Doubles({1, 2, 3, 4}));
  EXPECT_EQ(values.Get(PairValues::kKlChosen, 1), 2);
  EXPECT_EQ(values.Get(PairValues::kKlRejected, 0), 3);
}

TEST(PairValues, AResponseHasItsLossPerToken) {
  PairValues values(2);
  HostValues host;
  values.SetResponses(Doubles({-10, -20}), Doubles({4, 5}), &host);
  host.Read();
  EXPECT_EQ(values.Get(PairValues::kLoss, 0), 2.5);
  EXPECT_EQ(values.Get(PairValues::kLogpsChosen, 1), -20);
  EXPECT_EQ(values.Get(PairValues::kLogpsRejected, 1), std::nullopt);
}

// Ranks have disjoint pairs, and one of them perhaps none.
TEST(PairValues, PackedValuesAddUp) {
  PairValues part(2), own(3), other(3), none(3);
  part.Set(PairValues::kLoss, 0, 0.1);
  part.Set(PairValues::kLoss, 1, 0.2);
  own.Copy(part, 0, 2);
  other.Copy(part, 1, 0);
  other.Set(PairValues::kLoss, 1, 0.3);
  for (size_t i = 0; i < own.packed()->size(); ++i) {
    (*none.packed())[i] += (*own.packed())[i] + (*other.packed())[i];
  }
  EXPECT_EQ(none.Get(PairValues::kLoss, 0), 0.2);
  EXPECT_EQ(none.Get(PairValues::kLoss, 1), 0.3);
  EXPECT_EQ(none.Get(PairValues::kLoss, 2), 0.1);
  EXPECT_EQ(none.Get(PairValues::kRewardsChosen, 0), std::nullopt);
}

}  // namespace
}  // namespace fpo::train
