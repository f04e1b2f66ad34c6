#include "train/loop/evaluate_model.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/str_cat.h"
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
  // Pair by pair too, within the rounding of the weights that were written.
  std::istringstream own(Slurp(tiny.Path("evaluation.pairs.jsonl")));
  std::istringstream run(Slurp(tiny.Path(
      absl::StrCat("out/evaluations/step-", static_cast<int>(last.at("step")), ".jsonl"))));
  int lines = 0;
  for (std::string line, other; std::getline(own, line) && std::getline(run, other); ++lines) {
    const auto a = nlohmann::json::parse(line), b = nlohmann::json::parse(other);
    EXPECT_EQ(a.at("index"), lines);
    EXPECT_EQ(a.at("row"), b.at("row"));
    for (const char* name : {"loss", "divergence/chosen", "reference_logps/rejected"}) {
      EXPECT_NEAR(a.at(name).get<double>(), b.at(name).get<double>(), 1e-4) << name;
    }
  }
  EXPECT_EQ(lines, 5);
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
