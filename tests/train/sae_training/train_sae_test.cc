#include "train/sae_training/train_sae.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

#include "tests/train/support/tiny_run.h"
#include "train/events/exit_status.h"
#include "train/events/progress_meter.h"
#include "train/loop/model_loader.h"
#include "train/ops/fast_paths.h"

namespace fpo::train {
namespace {

JobConfig SaeJob(const TinyRun& tiny) {
  JobConfig job = tiny.Job("sft");
  job.kind = "sae";
  job.sae = {SaeSection{"", 1, "resid_post"}};
  job.sae_training = {64, 6, 5e-3, 400, 128};
  return job;
}

TEST(TrainSae, ReachesItsL0AndExplainsTheModel) {
  TinyRun::Options options;
  options.pairs = 200;
  const TinyRun tiny(options);
  RecordingSink events;
  const absl::Status status =
      TrainSae(SaeJob(tiny), {tiny.Path("prepared"), tiny.Path("trained"), at::kCPU}, events);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(events.Of(EventKind::kResult).size(), 1u);
  const auto result = events.Of(EventKind::kResult)[0].metrics;
  EXPECT_EQ(events.Of(EventKind::kResult)[0].texts.count("device_name"), 1u);
  EXPECT_GT(result.at("l0"), 3);
  EXPECT_LT(result.at("l0"), 12);
  EXPECT_LT(result.at("fvu"), 0.7);
  const auto config = IdentifyModel(tiny.Path("model"))->config;
  const auto sae = LoadSae({tiny.Path("trained/params.npz"), {}, ""}, config, at::kCPU);
  ASSERT_TRUE(sae.ok()) << sae.status();
  EXPECT_EQ(sae->tap.layer, 1);
  EXPECT_EQ(sae->sae.features(), 64);
  EXPECT_TRUE(std::filesystem::exists(tiny.Path("trained/metrics.jsonl")));
  // What was asked and what came of it are two numbers.
  const auto file = nlohmann::json::parse(Slurp(tiny.Path("trained/config.json")));
  EXPECT_EQ(file["target_l0"], 6);
  EXPECT_EQ(file["l0"], result.at("l0"));
  EXPECT_EQ(result.at("target_l0"), 6);
  EXPECT_EQ(sae->l0, result.at("l0"));
}

TEST(TrainSae, WarnsOfAResultFarFromWhatWasAsked) {
  const SaeTrainingSection settings{2048, 40, 4e-3, 400, 512};
  EXPECT_THAT(SaeWarnings(settings, 41, 0.3), ::testing::IsEmpty());
  EXPECT_THAT(SaeWarnings(settings, 27, 0.5), ::testing::IsEmpty());
  EXPECT_THAT(
      SaeWarnings(settings, 5.07, 0.6),
      ::testing::ElementsAre(::testing::AllOf(::testing::HasSubstr("5.07 active"),
                                              ::testing::HasSubstr("target_l0 asks for 40")),
                             ::testing::HasSubstr("60 % of the variance")));
  EXPECT_THAT(SaeWarnings(settings, 61, 0.1), ::testing::SizeIs(1));
}

TEST(TrainSae, CollectingActivationsIsToldBeforeTheFirstStep) {
  const TinyRun tiny;
  RecordingSink events;
  absl::Time now = absl::UnixEpoch();
  // Every look at the clock is ten seconds later: all work done is told.
  ProgressMeter meter(events,
                      {"train", absl::Seconds(2), [&] { return now += absl::Seconds(10); }});
  JobConfig job = SaeJob(tiny);
  job.sae_training.steps = 2;
  ASSERT_TRUE(TrainSae(job, {tiny.Path("prepared"), tiny.Path("trained"), at::kCPU}, meter).ok());
  std::vector<std::string> before_steps;
  for (const TrainEvent& event : events.events) {
    if (event.kind == EventKind::kStep) break;
    before_steps.push_back(absl::StrCat(event.phase, " ", event.done, "/", event.total, " ",
                                        event.unit, ": ", event.activity));
  }
  EXPECT_THAT(before_steps, ::testing::Contains(::testing::HasSubstr("hashing the weights of")));
  EXPECT_THAT(before_steps, ::testing::Contains(::testing::HasSubstr("bytes: loading")));
  EXPECT_THAT(before_steps, ::testing::Contains(::testing::AllOf(
                                ::testing::StartsWith("train 0/2 steps: collecting activations: "),
                                ::testing::HasSubstr("forward: 1 of 2 layers"))));
}

// Twenty steps; their metrics, and params.npz.
struct ShortRun {
  std::vector<MetricLine> metrics;
  std::string file;
};

ShortRun TrainShortly(const TinyRun& tiny, const std::string& out) {
  JobConfig job = SaeJob(tiny);
  job.sae_training.steps = 20;
  job.sae_training.batch_tokens = 32;
  RecordingSink events;
  const absl::Status status =
      TrainSae(job, {tiny.Path("prepared"), tiny.Path(out), at::kCPU}, events);
  EXPECT_TRUE(status.ok()) << status;
  return {ReadMetrics(tiny.Path(out)), Slurp(tiny.Path(out + "/params.npz"))};
}

TEST(TrainSae, TheSameSeedGivesTheSameBits) {
  const TinyRun tiny;
  const ShortRun a = TrainShortly(tiny, "a"), b = TrainShortly(tiny, "b");
  EXPECT_EQ(a.file, b.file);
  ASSERT_EQ(a.metrics.size(), 20u);
  for (size_t i = 0; i < a.metrics.size(); ++i) {
    EXPECT_EQ(a.metrics[i].at("loss"), b.metrics[i].at("loss")) << i;
  }
}

// Batches of activations have the same rows, so the steps differ by rounding alone.
TEST(TrainSae, ThePlainWayTakesTheSameSteps) {
  const TinyRun tiny;
  const FastPathsInScope fast(FastPaths{});
  const ShortRun a = TrainShortly(tiny, "a");
  const FastPathsInScope none(FastPaths::None());
  const ShortRun b = TrainShortly(tiny, "b");
  ASSERT_EQ(a.metrics.size(), 20u);
  ASSERT_EQ(b.metrics.size(), 20u);
  for (size_t i = 0; i < a.metrics.size(); ++i) {
    for (const std::string name : {"loss", "reconstruction", "l0"}) {
      EXPECT_NEAR(a.metrics[i].at(name), b.metrics[i].at(name),
                  1e-4 * std::abs(b.metrics[i].at(name)))
          << name << " of step " << i + 1;
    }
  }
}

TEST(TrainSae, LayerOutsideTheModel) {
  const TinyRun tiny;
  JobConfig job = SaeJob(tiny);
  job.sae[0].layer = 9;
  RecordingSink events;
  const absl::Status status =
      TrainSae(job, {tiny.Path("prepared"), tiny.Path("trained"), at::kCPU}, events);
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kInvalid);
}

}  // namespace
}  // namespace fpo::train
