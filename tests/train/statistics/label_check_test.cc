#include "train/statistics/label_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "absl/strings/match.h"

namespace fpo::train {
namespace {

// Pairs whose first 10 features say which side is better, and 40 that say nothing.
struct MadeUpPairs {
  static constexpr int64_t kFeatures = 50;
  std::vector<SparseRow> rows;
  std::vector<int64_t> group;

  MadeUpPairs(int64_t count, double strength, uint32_t seed) {
    std::mt19937 random(seed);
    const auto uniform = [&] { return static_cast<double>(random()) / 4294967296.0; };
    for (int64_t i = 0; i < count; ++i) {
      SparseRow row;
      for (uint32_t k = 0; k < kFeatures; ++k) {
        if (uniform() > 0.5) continue;
        const double noise = uniform() + uniform() + uniform() + uniform() - 2;
        row.emplace_back(k, static_cast<float>(noise + (k < 10 ? strength : 0)));
      }
      row.emplace_back(kFeatures, static_cast<float>(uniform() - 0.5));
      rows.push_back(row);
      group.push_back(i);
    }
  }
  void Flip(int64_t i) {
    for (auto& [column, value] : rows[static_cast<size_t>(i)]) value = -value;
  }
  absl::StatusOr<LabelCheck> Check(LabelCheckOptions options = {}) const {
    const auto row = [this](int64_t i) -> absl::StatusOr<SparseRow> {
      return rows[static_cast<size_t>(i)];
    };
    return CheckLabels({static_cast<int64_t>(rows.size()), kFeatures + 1, kFeatures, group, row},
                       options);
  }
};

// How many of the first `count` pairs are in the tenth with the least probability.
int64_t InFirstTenth(const LabelCheck& check, int64_t count) {
  std::vector<int64_t> order(check.right.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return check.right[static_cast<size_t>(a)] < check.right[static_cast<size_t>(b)];
  });
  order.resize(order.size() / 10);
  return std::count_if(order.begin(), order.end(), [&](int64_t i) { return i < count; });
}

TEST(LabelCheck, SwappedLabelsAreAmongTheMostSuspect) {
  MadeUpPairs pairs(1000, 0.6, 1);
  for (int64_t i = 0; i < 50; ++i) pairs.Flip(i);
  const auto check = pairs.Check();
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_EQ(check->right.size(), 1000u);
  EXPECT_EQ(check->fitted, 1000);
  EXPECT_GE(InFirstTenth(*check, 50), 40);
  EXPECT_GT(check->agreement, 0.85);
  EXPECT_LT(check->log_loss, 0.4);
  EXPECT_EQ(check->flipped, 50);
  EXPECT_GT(check->found_in_first_tenth, 0.8) << "what it says of itself is what it does";
}

TEST(LabelCheck, NoiseIsSaidToBeNoise) {
  const auto check = MadeUpPairs(1000, 0, 2).Check();
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_NEAR(check->agreement, 0.5, 0.06);
  EXPECT_GT(check->log_loss, 0.68);
  EXPECT_LT(check->found_in_first_tenth, 0.3);
}

TEST(LabelCheck, TheSameSeedGivesTheSameNumbersOnASample) {
  const MadeUpPairs pairs(800, 0.6, 3);
  LabelCheckOptions options;
  options.fitted_max = 300;
  const auto once = pairs.Check(options), again = pairs.Check(options);
  ASSERT_TRUE(once.ok() && again.ok());
  EXPECT_EQ(once->fitted, 300);
  EXPECT_EQ(once->right.size(), 800u) << "all are checked";
  EXPECT_EQ(once->right, again->right);
  EXPECT_GT(once->agreement, 0.8);
  options.seed = 43;
  EXPECT_NE(pairs.Check(options)->right, once->right);
}

// A pair of which there are copies elsewhere would be predicted by its copies.
TEST(LabelCheck, CopiesAreHeldOutTogether) {
  MadeUpPairs pairs(60, 0, 4);
  const std::vector<SparseRow> rows = pairs.rows;
  for (int copy = 0; copy < 9; ++copy) {
    for (size_t i = 0; i < rows.size(); ++i) {
      pairs.rows.push_back(rows[i]);
      pairs.group.push_back(static_cast<int64_t>(i));
    }
  }
  const auto together = pairs.Check();
  ASSERT_TRUE(together.ok()) << together.status();
  EXPECT_LT(together->agreement, 0.7);
  std::iota(pairs.group.begin(), pairs.group.end(), 0);
  EXPECT_GT(pairs.Check()->agreement, 0.9) << "the test would not notice";
}

TEST(LabelCheck, TooFewPairsAreRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(MadeUpPairs(49, 1, 5).Check().status()));
  MadeUpPairs copies(60, 1, 5);
  for (int64_t& group : copies.group) group = 0;
  EXPECT_TRUE(absl::StrContains(copies.Check().status().message(), "copies of 1"));
}

}  // namespace
}  // namespace fpo::train
