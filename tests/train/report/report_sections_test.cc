#include "train/report/report_sections.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> Titles(const std::vector<Figure>& figures) {
  std::vector<std::string> titles;
  for (const Figure& figure : figures) titles.push_back(figure.title);
  return titles;
}

TEST(ReportSectionsTest, PhasesInTheOrderOfARun) {
  RunFiles files;
  files.run_json = R"({"timings":{"train_seconds":75,"prepare_seconds":5,"export_seconds":0}})";
  const std::string html = PhasesPart(files, {}).at(0).html;
  EXPECT_THAT(html, HasSubstr("prepare <b>5 s (6%)</b>"));
  EXPECT_LT(html.find("prepare"), html.find("train"));
  EXPECT_THAT(PhasesPart({}, {}), IsEmpty());
}

TEST(ReportSectionsTest, RecordsFoundComputedAndWaitedFor) {
  RunFiles files;
  files.run_json = R"({"reference":{"source":"records","records_computed":10,"records_reused":30},
                       "timings":{"reference_seconds":4}})";
  const RunMetrics metrics = ParseMetrics(
      "{\"step\":1,\"cache_wait_seconds\":0.5}\n{\"step\":2,\"cache_wait_seconds\":1}\n");
  const std::string html = RecordsPart(files, metrics).at(0).html;
  EXPECT_THAT(html, HasSubstr("an earlier start <b>30 records (75%)</b>"));
  EXPECT_THAT(html, HasSubstr("computed by this run <b>10 records (25%)</b>"));
  EXPECT_THAT(html, HasSubstr("4.0 s before training; steps waited 1.5 s"));
  files.run_json = R"({"reference":{"source":"online"}})";
  EXPECT_THAT(RecordsPart(files, metrics).at(0).if_empty, HasSubstr("online"));
}

TEST(ReportSectionsTest, PairsAreNamedAfterTheMethodsDivergence) {
  RunFiles files;
  files.run_json = R"({"method":"fpo"})";
  EXPECT_EQ(PairsPart(files, {}).at(0).if_empty,
            "No evaluation in this run: the job has no data.eval.");
  files.pairs_jsonl =
      "{\"logps/chosen\":1,\"logps/rejected\":0,\"tokens/chosen\":4,\"tokens/rejected\":2,"
      "\"divergence/chosen\":1,\"divergence/rejected\":2}\n";
  files.pairs_step = 40;
  const PageSection section = PairsPart(files, {}).at(0);
  EXPECT_THAT(Titles(section.figures),
              ElementsAre("Feature MSE (D) margin against log-probability margin"));
  EXPECT_THAT(section.html, HasSubstr("1 pairs at step 40"));
}

TEST(ReportSectionsTest, AThinnedRunSaysSo) {
  std::string text;
  for (int step = 1; step <= 2000; ++step) {
    text += "{\"step\":" + std::to_string(step) + ",\"loss\":0.5}\n";
  }
  EXPECT_THAT(CurvesPart({}, ParseMetrics(text)).at(0).html,
              HasSubstr("Of 2000 steps the curves have at most 1000 points"));
  EXPECT_EQ(CurvesPart({}, ParseMetrics("{\"step\":1,\"loss\":1}\n")).at(0).html, "");
}

}  // namespace
}  // namespace fpo::train
