#include "common/page/step_figures.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Labels(const Figure& figure) {
  std::vector<std::string> labels;
  for (const FigureSeries& series : figure.series) labels.push_back(series.label);
  return labels;
}

const Figure* FigureOf(const std::vector<PageSection>& sections, const std::string& title) {
  for (const PageSection& section : sections) {
    for (const Figure& figure : section.figures) {
      if (figure.title == title) return &figure;
    }
  }
  return nullptr;
}

RunCurves RunCalled(const std::string& name) {
  RunCurves run{.name = name};
  for (int step = 1; step <= 40; ++step) {
    run.series["rewards/chosen"].emplace_back(step, 0.1 * step);
    run.series["rewards/rejected"].emplace_back(step, -0.1 * step);
    run.series["rewards/accuracies"].emplace_back(step, 0.5 + 0.01 * step);
    run.series["tokens"].emplace_back(step, 100);
    run.series["step_seconds"].emplace_back(step, 2);
  }
  run.series["eval_rewards/chosen"] = {{40, 3}};
  return run;
}

TEST(StepFiguresTest, OneRunShowsBothSidesAndEvaluations) {
  const auto sections = StepSections({RunCalled("a")}, 1000);
  const Figure* rewards = FigureOf(sections, "Rewards");
  ASSERT_NE(rewards, nullptr);
  EXPECT_THAT(Labels(*rewards), ElementsAre("chosen", "chosen, held out", "rejected"));
  EXPECT_EQ(rewards->series[0].mean.size(), 40u);
  EXPECT_EQ(rewards->series[1].style, FigureSeries::Style::kMarked);
  EXPECT_EQ(rewards->series[2].style, FigureSeries::Style::kDashed);
  EXPECT_DOUBLE_EQ(FigureOf(sections, "Accuracy")->series[0].points[0].second, 51);
  EXPECT_DOUBLE_EQ(FigureOf(sections, "Throughput")->series[0].points[0].second, 50);
  EXPECT_EQ(FigureOf(sections, "KL"), nullptr) << "nothing is drawn for what was not measured";
}

TEST(StepFiguresTest, SeveralRunsShareAFigureForEachNumber) {
  const auto sections = StepSections({RunCalled("a"), RunCalled("b")}, 1000);
  EXPECT_EQ(FigureOf(sections, "Rewards"), nullptr);
  const Figure* chosen = FigureOf(sections, "Rewards, chosen");
  ASSERT_NE(chosen, nullptr);
  EXPECT_THAT(Labels(*chosen), ElementsAre("a", "a, held out", "b", "b, held out"));
  EXPECT_EQ(chosen->series[0].colour, chosen->series[1].colour);
  EXPECT_NE(chosen->series[0].colour, chosen->series[2].colour);
}

TEST(StepFiguresTest, UnknownMetricsAreShownToo) {
  RunCurves run = RunCalled("a");
  run.series["made/up"] = {{1, 0.5}, {2, 0.6}};
  run.series["eval_something_new"] = {{2, 1}};
  const auto sections = StepSections({run}, 1000);
  EXPECT_EQ(sections.back().title, "Other metrics");
  EXPECT_NE(FigureOf(sections, "made/up"), nullptr);
  EXPECT_THAT(Labels(*FigureOf(sections, "something_new")), ElementsAre("held out"));
  EXPECT_EQ(FigureOf(sections, "tokens"), nullptr) << "a count is no curve";
}

TEST(StepFiguresTest, LongRunsAreThinnedAndKeepTheirExtremes) {
  RunCurves run{.name = "long"};
  for (int step = 1; step <= 20000; ++step) {
    run.series["loss"].emplace_back(step, step == 12345 ? 50 : 1.0);
  }
  const FigureSeries& loss = FigureOf(StepSections({run}, 1000), "Loss")->series[0];
  EXPECT_LE(loss.points.size(), 1000u);
  EXPECT_LE(loss.mean.size(), 500u);
  double highest = 0;
  for (const auto& [step, value] : loss.points) highest = std::max(highest, value);
  EXPECT_EQ(highest, 50);
}

TEST(StepFiguresTest, ALossOfPairsHasTheCoinFlipsLine) {
  RunCurves run{.name = "a"};
  run.series["loss"] = {{1, 0.7}};
  EXPECT_FALSE(FigureOf(StepSections({run}, 1000), "Loss")->reference.has_value());
  run.series["rewards/margins"] = {{1, 0}};
  EXPECT_DOUBLE_EQ(*FigureOf(StepSections({run}, 1000), "Loss")->reference, std::log(2.0));
}

TEST(StepFiguresTest, TheFrontierTakesEvaluationsFirst) {
  RunCurves evaluated{.name = "a"}, not_evaluated{.name = "b"}, neither{.name = "c"};
  evaluated.series["eval_kl/chosen"] = {{10, 2}, {20, 1}};
  evaluated.series["eval_rewards/accuracies"] = {{10, 0.6}, {20, 0.7}};
  evaluated.series["kl/chosen"] = {{1, 9}};
  evaluated.series["rewards/accuracies"] = {{1, 0.5}};
  not_evaluated.series["kl/chosen"] = {{1, 3}};
  not_evaluated.series["rewards/accuracies"] = {{1, 0.75}};
  const std::vector<Figure> figures = FrontierFigures({evaluated, not_evaluated, neither});
  ASSERT_EQ(figures.size(), 1u);
  EXPECT_THAT(Labels(figures[0]), ElementsAre("a", "b"));
  EXPECT_EQ(figures[0].series[0].points, (CurvePoints{{1, 70}, {2, 60}}));
  EXPECT_EQ(figures[0].series[1].points, (CurvePoints{{3, 75}}));
}

TEST(StepFiguresTest, TimeStandsForTheStepsLeftOut) {
  RunCurves run{.name = "a"};
  run.series["step_seconds"] = {{1, 2}, {2, 2}, {10, 1}};
  EXPECT_EQ(SecondsSoFar(run), (CurvePoints{{1, 2}, {2, 4}, {10, 12}}));
}

}  // namespace
}  // namespace fpo
