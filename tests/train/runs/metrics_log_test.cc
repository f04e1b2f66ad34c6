#include "train/runs/metrics_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "tests/train/support/tiny_run.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

TEST(MetricsLog, KeepsLinesUpToTheCheckpoint) {
  const TinyRun tiny;
  const std::string path = tiny.Path("metrics.jsonl");
  {
    auto log = MetricsLog::Open(path, -1);
    ASSERT_TRUE(log.ok());
    for (int64_t step = 1; step <= 4; ++step) {
      ASSERT_TRUE((*log)->Append(step, 0.25 * double(step), {{"loss", 0.5}, {"tokens", 70}}).ok());
    }
  }
  std::ofstream(path, std::ios::app) << "{\"step\": 5, \"lo";  // torn by a kill
  auto log = MetricsLog::Open(path, 2);
  ASSERT_TRUE(log.ok());
  ASSERT_TRUE((*log)->Append(3, 0.75, {{"loss", std::nan("")}}).ok());
  EXPECT_EQ(Slurp(path),
            "{\"step\":1,\"epoch\":0.25,\"loss\":0.5,\"tokens\":70}\n"
            "{\"step\":2,\"epoch\":0.5,\"loss\":0.5,\"tokens\":70}\n"
            "{\"step\":3,\"epoch\":0.75,\"loss\":null}\n");
}

// Each attempt has a file of its own for TensorBoard, with the same numbers.
TEST(MetricsLog, TensorBoardHasTheSame) {
  const TinyRun tiny;
  const auto log = MetricsLog::Open(tiny.Path("metrics.jsonl"), -1);
  ASSERT_TRUE(log.ok()) << log.status();
  ASSERT_TRUE((*log)->Append(1, 0.5, {{"loss", 0.25}, {"eval_loss", 0.75}}).ok());
  std::string bytes;
  for (const auto& entry : std::filesystem::directory_iterator(tiny.Path("tensorboard"))) {
    bytes += Slurp(entry.path());
  }
  EXPECT_THAT(bytes, ::testing::HasSubstr("train/loss"));
  EXPECT_THAT(bytes, ::testing::HasSubstr("eval/loss"));
}

TEST(MetricsLog, KnowsTheEvaluationThatItKept) {
  const TinyRun tiny;
  const std::string path = tiny.Path("metrics.jsonl");
  {
    auto log = MetricsLog::Open(path, -1);
    for (int64_t step = 1; step <= 4; ++step) {
      ASSERT_TRUE((*log)->Append(step, 0.1, {{"loss", 0.5}}).ok());
      if (step % 2 != 0) continue;
      ASSERT_TRUE((*log)->Append(step, 0.1, {{"eval_seconds", 1}}).ok());
    }
    ASSERT_TRUE((*log)->Append(4, 0.1, {{"eval_seconds", 1}}).ok());
    EXPECT_FALSE((*log)->HasEvaluation({4, 0.1, 1})) << "only of what was kept when it was opened";
  }
  const auto kept = MetricsLog::Open(path, 4);
  EXPECT_TRUE((*kept)->HasEvaluation({4, 0.1, 1}));
  EXPECT_TRUE((*kept)->HasEvaluation({4, 0.1, 2})) << "of moved weights, the second of its step";
  EXPECT_FALSE((*kept)->HasEvaluation({4, 0.1, 3}));
  EXPECT_FALSE((*kept)->HasEvaluation({2, 0.1, 2}));
  EXPECT_FALSE((*MetricsLog::Open(path, 3))->HasEvaluation({3, 0.1, 1}));
}

TEST(MetricsLog, UnwritablePathIsStorage) {
  EXPECT_EQ(ExitCodeOf(MetricsLog::Open("/proc/nothing/metrics.jsonl", -1).status()),
            ExitCode::kStorage);
}

}  // namespace
}  // namespace fpo::train
