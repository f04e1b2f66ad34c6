#include "train/report/report_tables.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"

namespace fpo::train {
namespace {

TEST(ReportTablesTest, HeadlinesPreferHeldOutNumbers) {
  const std::string html = RenderHeadlines(ParseMetrics(
      "{\"step\":1,\"loss\":0.7,\"rewards/accuracies\":0.5,\"step_seconds\":2,\"tokens\":100}\n"
      "{\"step\":1,\"eval_rewards/accuracies\":0.55}\n{\"step\":2,\"eval_rewards/"
      "accuracies\":0.75}"));
  EXPECT_TRUE(absl::StrContains(html, "Accuracy, held out"));
  EXPECT_TRUE(absl::StrContains(html, "75 %"));
  EXPECT_TRUE(absl::StrContains(html, "first 55 %"));
  EXPECT_TRUE(absl::StrContains(html, "50 tokens/s"));
}

// Stopped in step 3: what was measured before training, or two steps ago, is not how it ended.
TEST(ReportTablesTest, HeadlinesOfAnUnfinishedRunSayWhatTheyAreOf) {
  const std::string steps =
      "{\"step\":0,\"eval_loss\":0.69}\n{\"step\":1,\"loss\":0.6}\n{\"step\":3,\"loss\":0.25}\n";
  const std::string begun = RenderHeadlines(ParseMetrics(steps));
  EXPECT_TRUE(absl::StrContains(begun, "<span>Loss</span><b>0.25</b><small>first 0.6</small>"))
      << begun;
  const std::string later =
      RenderHeadlines(ParseMetrics(steps + "{\"step\":2,\"eval_loss\":0.5}\n"));
  EXPECT_TRUE(absl::StrContains(later,
                                "<span>Loss, held out</span><b>0.5</b>"
                                "<small>at step 2, first 0.69</small>"))
      << later;
  const std::string evaluated = RenderHeadlines(ParseMetrics("{\"step\":0,\"eval_loss\":0.69}"));
  EXPECT_TRUE(absl::StrContains(evaluated, "Loss, held out")) << evaluated;
}

TEST(ReportTablesTest, AdmissionPutsTrainBesideEval) {
  const std::string html = RenderAdmission(
      R"({"train":{"rows":10,"dropped":{"bad_roles":1},"response_share":0.545199,
          "lengths":{"prompt":{"p10":3,"p50":85,"p90":210,"max":512}},
          "warnings":["data.train: <b>9 of 10</b> are copies"]},
          "eval":{"rows":4,"dropped":{"identical_pair":2}}})");
  EXPECT_TRUE(absl::StrContains(html, "<th>Rows read</th><td>10</td><td>4</td>"));
  EXPECT_TRUE(absl::StrContains(
      html, "<th>Left out: roles that do not alternate</th><td>1</td><td>0</td>"));
  EXPECT_TRUE(
      absl::StrContains(html, "<th>Left out: two equal responses</th><td>0</td><td>2</td>"));
  EXPECT_TRUE(absl::StrContains(html, "<td>55 %</td>"));
  EXPECT_TRUE(absl::StrContains(html, "<td>85 / 210 / 512</td>"));
  EXPECT_TRUE(absl::StrContains(html, "data.train: &lt;b&gt;9 of 10&lt;/b&gt; are copies"));
  EXPECT_FALSE(absl::StrContains(html, "p10"));
  EXPECT_FALSE(absl::StrContains(html, "0.545199"));
  EXPECT_EQ(RenderAdmission("not json"), "");
}

TEST(ReportTablesTest, FactsAreEscaped) {
  const std::string html = RenderFacts(R"({"a":{"b":"<x>"},"c":null,"d":0.5})");
  EXPECT_TRUE(absl::StrContains(html, "<th>a.b</th><td>&lt;x&gt;</td>"));
  EXPECT_TRUE(absl::StrContains(html, "<td>0.5</td>"));
  EXPECT_EQ(RenderFacts("[]"), "");
}

}  // namespace
}  // namespace fpo::train
