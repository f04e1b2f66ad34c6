#include "train/runs/run_record.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/files/durable_file.h"
#include "tests/train/support/tiny_run.h"

namespace fpo::train {
namespace {

TEST(RunRecord, SaysWhatARunWasMadeOf) {
  const TinyRun tiny;
  ASSERT_TRUE(TrainOnce(tiny.Job("fpo"), tiny.Run("out")).ok());
  const auto json = nlohmann::json::parse(Slurp(tiny.Path("out/run.json")));
  EXPECT_EQ(json.at("version"), "test");
  EXPECT_EQ(json.at("finished"), true);
  EXPECT_EQ(json.at("finished_at").get<std::string>().size(), 20u);
  EXPECT_EQ(json.count("job_id"), 0u) << "made by hand";
  EXPECT_EQ(json.at("device"), "cpu");
  EXPECT_NE(json.at("device_name"), "");
  EXPECT_EQ(json.at("seed"), 42);
  EXPECT_EQ(json.at("model").at("digest").get<std::string>().size(), 64u);
  EXPECT_EQ(json.at("reference").at("recipe_id").get<std::string>().size(), 64u);
  EXPECT_EQ(json.at("reference").at("records_computed"), 34);
  EXPECT_GT(json.at("timings").at("train_seconds").get<double>(), 0);
  const auto result = ReadRunResult(tiny.Path("out/run.json"));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->metrics.count("eval_loss"), 1u);
  EXPECT_EQ(result->texts.count("device_name"), 1u);
}

TEST(RunRecord, AResultHasNumbersAndTexts) {
  const TinyRun tiny;
  const std::string text = R"({"result": {"eval_loss": 0.5, "device_name": "a GPU", "x": null}})";
  ASSERT_TRUE(WriteFileAtomically(tiny.Path("run.json"), text).ok());
  EXPECT_EQ(ReadRunResult(tiny.Path("run.json")).value(),
            (RunResult{{{"eval_loss", 0.5}}, {{"device_name", "a GPU"}}}));
}

TEST(RunRecord, BrokenFileIsDataLoss) {
  const TinyRun tiny;
  ASSERT_TRUE(WriteFileAtomically(tiny.Path("run.json"), "{").ok());
  EXPECT_TRUE(absl::IsDataLoss(ReadRunResult(tiny.Path("run.json")).status()));
}

}  // namespace
}  // namespace fpo::train
