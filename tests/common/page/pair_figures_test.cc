#include "common/page/pair_figures.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

// A pair with margins 0.25·i and 2·i; KL margin -i.
std::string Line(int i) {
  return absl::StrCat("{\"logps/chosen\":", i,
                      ",\"logps/rejected\":0,\"tokens/chosen\":4,\"tokens/",
                      "rejected\":2,\"divergence/chosen\":1,\"divergence/rejected\":", 1 + 2 * i,
                      ",\"kl/chosen\":", i, ",\"kl/rejected\":0}\n");
}

TEST(PairFiguresTest, MarginsPerPair) {
  const EvaluatedPairs read =
      ReadEvaluatedPairs(absl::StrCat(Line(3), "{\"loss\":1}\n", "{\"logps/ch"));
  ASSERT_EQ(read.pairs.size(), 1u);
  EXPECT_DOUBLE_EQ(read.pairs[0].log_prob_margin, 0.75);
  EXPECT_DOUBLE_EQ(*read.pairs[0].divergence_margin, 6);
  EXPECT_DOUBLE_EQ(*read.pairs[0].kl_margin, -3);
  EXPECT_EQ(read.skipped_lines, 2) << "not read as zero";
}

TEST(PairFiguresTest, PointsAndMeansOfTenths) {
  std::string lines;
  for (int i = 0; i < 20; ++i) lines += Line(i);
  const std::vector<Figure> figures = PairFigures({ReadEvaluatedPairs(lines)}, "Feature MSE (D)");
  ASSERT_EQ(figures.size(), 2u);
  EXPECT_EQ(figures[0].title, "Feature MSE (D) margin against log-probability margin");
  EXPECT_EQ(figures[1].title, "KL margin against log-probability margin");
  ASSERT_EQ(figures[0].series.size(), 2u);
  EXPECT_EQ(figures[0].series[0].points.size(), 20u);
  const CurvePoints& means = figures[0].series[1].points;
  ASSERT_EQ(means.size(), 10u);
  EXPECT_DOUBLE_EQ(means[0].first, 0.125);
  EXPECT_DOUBLE_EQ(means[0].second, 1);
  EXPECT_DOUBLE_EQ(means[9].second, 37);
}

TEST(PairFiguresTest, AKlMethodsDivergenceIsDrawnOnce) {
  EXPECT_EQ(PairFigures({ReadEvaluatedPairs(Line(1))}, "KL").size(), 1u);
  EXPECT_TRUE(PairFigures({ReadEvaluatedPairs("")}, "KL").empty());
}

}  // namespace
}  // namespace fpo
