#include "train/loop/evaluate_model.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/train/support/tiny_run.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

TEST(EvaluateModel, AgreesWithTheRunsOwnLastEvaluation) {
  const TinyRun tiny;
  const JobConfig job = tiny.Job("fpo");
  ASSERT_TRUE(TrainOnce(job, tiny.Run("out")).ok());
  RecordingSink events;
  EvaluateModelOptions options{tiny.Path("out/model"), tiny.Path("prepared"),
                               tiny.Path("out/reference.fpr"), tiny.Path("evaluation.json")};
  const absl::Status status = EvaluateModel(job, options, events);
  ASSERT_TRUE(status.ok()) << status;
  const auto json = nlohmann::json::parse(Slurp(tiny.Path("evaluation.json")));
  const auto last = ReadMetrics(tiny.Path("out"), true).back();
  EXPECT_NEAR(json.at("eval_loss").get<double>(), last.at("eval_loss"), 1e-6);
  EXPECT_NEAR(json.at("eval_divergence/rejected").get<double>(),
              last.at("eval_divergence/rejected"), 1e-6);
  ASSERT_EQ(events.Of(EventKind::kResult).size(), 1u);
  EXPECT_EQ(events.Of(EventKind::kResult)[0].texts.count("device_name"), 1u);
}

TEST(EvaluateModel, NoPairsIsAnError) {
  TinyRun::Options tiny_options;
  tiny_options.eval_pairs = 0;
  const TinyRun tiny(tiny_options);
  RecordingSink events;
  EvaluateModelOptions options{"", tiny.Path("prepared"), "auto", tiny.Path("evaluation.json")};
  EXPECT_EQ(ExitCodeOf(EvaluateModel(tiny.Job("dpo"), options, events)), ExitCode::kInvalid);
}

}  // namespace
}  // namespace fpo::train
