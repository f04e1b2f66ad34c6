#include "train/report/run_report.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

std::string Metrics() {
  std::string text;
  for (int step = 1; step <= 50; ++step) {
    absl::StrAppend(&text, "{\"step\":", step, ",\"loss\":", 0.7 - 0.005 * step,
                    ",\"rewards/margins\":", 0.02 * step,
                    ",\"rewards/accuracies\":0.6,\"tokens\":900,",
                    "\"pairs\":8,\"step_seconds\":1.5,\"memory_peak_bytes\":2147483648}\n");
    if (step % 25 == 0) absl::StrAppend(&text, "{\"step\":", step, ",\"eval_loss\":0.6}\n");
  }
  return text;
}

TEST(RunReportTest, WritesOnePageFromTheFilesOfARun) {
  ScratchFolder folder;
  folder.Put("metrics.jsonl", Metrics() + "{\"step\": 51, \"lo");
  folder.Put("run.json",
             R"({"job":"my <run>","timings":{"train_seconds":75,"prepare_seconds":5}})");
  folder.Put("admission.json", R"({"train":{"rows":100}})");
  folder.Put("job.yaml", "name: my-run\n");
  folder.Put("evaluations/step-9.jsonl", "");
  folder.Put("evaluations/step-50.jsonl",
             "{\"logps/chosen\":1,\"logps/rejected\":0,\"tokens/chosen\":4,\"tokens/rejected\":2,"
             "\"divergence/chosen\":1,\"divergence/rejected\":2}\n");
  ASSERT_TRUE(WriteRunReport(folder.path()).ok());
  const std::string html = Slurp(folder / "report.html");
  EXPECT_TRUE(absl::StrContains(html, "<h1>my &lt;run&gt;</h1>"));
  EXPECT_TRUE(absl::StrContains(html, "1 lines of the metrics could not be read"));
  EXPECT_TRUE(absl::StrContains(html, "Throughput, tokens/s"));
  EXPECT_TRUE(absl::StrContains(html, "1 pairs at step 50")) << "the newest evaluation";
  EXPECT_TRUE(absl::StrContains(html, "50 steps, not finished"));
  EXPECT_TRUE(absl::StrContains(html, "94%"));  // of the time in training
  EXPECT_TRUE(absl::StrContains(html, "name: my-run"));
}

TEST(RunReportTest, OnlyMetricsAreNeeded) {
  ScratchFolder folder;
  folder.Put("metrics.jsonl", Metrics());
  EXPECT_TRUE(WriteRunReport(folder.path()).ok());
  EXPECT_TRUE(absl::IsNotFound(WriteRunReport(folder / "none")));
  EXPECT_TRUE(absl::IsInvalidArgument(RenderRunReport({}).status()));
}

}  // namespace
}  // namespace fpo::train
