#include "common/page/curve.h"

#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(CurveTest, SmoothingStartsWithoutBias) {
  for (const auto& [x, y] : Smoothed({{1, 3}, {2, 3}, {3, 3}}, 10)) EXPECT_DOUBLE_EQ(y, 3);
  const CurvePoints jump = Smoothed({{1, 0}, {2, 1}}, 3);
  EXPECT_DOUBLE_EQ(jump[0].second, 0);
  EXPECT_NEAR(jump[1].second, 0.5 / 0.75, 1e-12);
}

TEST(CurveTest, ThinningKeepsSpikes) {
  CurvePoints points;
  for (int i = 0; i < 10000; ++i) points.emplace_back(i, i == 5001 ? 99 : i == 7007 ? -99 : i % 3);
  const CurvePoints thin = Thinned(points, 100);
  EXPECT_LE(thin.size(), 100u);
  bool high = false, low = false;
  for (size_t i = 0; i < thin.size(); ++i) {
    high = high || thin[i].second == 99;
    low = low || thin[i].second == -99;
    if (i > 0) {
      EXPECT_LT(thin[i - 1].first, thin[i].first);
    }
  }
  EXPECT_TRUE(high && low);
  EXPECT_EQ(Thinned(points, 20000), points);
}

TEST(CurveTest, EverySoManyHasBothEnds) {
  CurvePoints points;
  for (int i = 0; i < 101; ++i) points.emplace_back(i, i);
  EXPECT_EQ(EverySoMany(points, 3), (CurvePoints{{0, 0}, {50, 50}, {100, 100}}));
  EXPECT_EQ(EverySoMany(points, 101), points);
}

TEST(CurveTest, TwoCurvesMeetWhereBothHavePoints) {
  const CurvePoints a = {{1, 10}, {2, 20}, {4, 40}}, b = {{2, 4}, {3, 5}, {4, 2}};
  EXPECT_EQ(Over(a, b), (CurvePoints{{2, 5}, {4, 20}}));
  EXPECT_EQ(Against(a, b), (CurvePoints{{2, 40}, {4, 20}})) << "sorted by the new x";
  EXPECT_TRUE(Over(a, {{2, 0}}).empty());
}

}  // namespace
}  // namespace fpo
