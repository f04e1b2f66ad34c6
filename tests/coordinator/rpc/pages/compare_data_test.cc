#include "coordinator/rpc/pages/compare_data.h"

#include <algorithm>
#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

using nlohmann::json;

ShownRun RunOf(const std::string& id, const std::string& name, int steps) {
  auto job = std::make_shared<Job>();
  job->job_id = id;
  job->name = name;
  job->state = JobState::kRunning;
  job->method = "dpo";
  job->progress.step = steps;
  auto curves = std::make_shared<MetricCache::Curves>();
  for (int step = 1; step <= steps; ++step) {
    (*curves)["loss"].emplace_back(step, 1.0 / step);
    (*curves)["eval_loss"].emplace_back(step, step == 2 ? std::nan("") : 0.5);
    (*curves)["pairs"].emplace_back(step, 8);
    (*curves)["step_seconds"].emplace_back(step, 2);
  }
  return {job, ConfigJson(name), curves};
}

TEST(CompareDataTest, LaysTheSameNumberOfEachJobOverEachOther) {
  const json said = json::parse(CompareJson({RunOf("j-1", "a", 100), RunOf("j-2", "a", 50)}));
  EXPECT_EQ(said["jobs"][1]["label"], "a (j-2)");
  EXPECT_EQ(said["jobs"][1]["state"], "RUNNING");
  const json& figures = said["draw"]["charts"]["figures"];
  const auto loss = std::find_if(figures.begin(), figures.end(), [](const json& figure) {
    return figure["title"] == "Loss, training";
  });
  ASSERT_NE(loss, figures.end());
  ASSERT_EQ((*loss)["series"].size(), 4u) << "training and held out of both";
  EXPECT_EQ((*loss)["series"][0]["colour"], 0);
  EXPECT_EQ((*loss)["series"][2]["colour"], 1) << "a job has one colour";
  const json& xs = said["draw"]["charts"]["xs"];
  EXPECT_EQ(xs[(*loss)["series"][1]["x"].get<size_t>()].size(), 99u) << "no number is no point";
  EXPECT_EQ(said["draw"]["runs"][1]["pairs"][1].back(), 400);
  EXPECT_EQ(said["draw"]["runs"][0]["seconds"][1].back(), 200);
  size_t counted = 0;
  for (const json& section : said["sections"]) counted += section["figures"].get<size_t>();
  EXPECT_EQ(counted, figures.size());
  EXPECT_EQ(said["differences"], json::array());
}

TEST(CompareDataTest, TwelveJobsAreBounded) {
  std::vector<ShownRun> runs;
  for (int r = 0; r < static_cast<int>(kRunsMax); ++r) {
    runs.push_back(RunOf("j-" + std::to_string(r), "n" + std::to_string(r), 500));
  }
  const std::string text = CompareJson(runs);
  EXPECT_LT(text.size(), 400'000u);
  const json figures = json::parse(text)["draw"]["charts"]["figures"];
  EXPECT_EQ(figures[0]["series"].back()["colour"], 11) << "each job has its own";
}

TEST(CompareDataTest, OneJobIsShownAsInItsReport) {
  const json said = json::parse(CompareJson({RunOf("j-1", "a", 100)}));
  const json& loss = said["draw"]["charts"]["figures"][0];
  EXPECT_EQ(loss["title"], "Loss");
  EXPECT_EQ(loss["series"][0]["label"], "training");
  EXPECT_TRUE(loss["series"][0].contains("mean_y"));
  EXPECT_EQ(said["sections"][0]["title"], "Learning");
  const json empty = json::parse(CompareJson({RunOf("j-1", "a", 0)}));
  EXPECT_EQ(empty["sections"][0]["if_empty"], "No numbers of steps.");
}

}  // namespace
}  // namespace fpo::coordinator
