#include "worker/trainer/train/train_sae.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/worker/trainer/train/tiny_run.h"
#include "worker/trainer/train/exit_status.h"
#include "worker/trainer/train/model_loader.h"

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
  ASSERT_EQ(events.Of("result").size(), 1u);
  const auto result = events.Of("result")[0].metrics;
  EXPECT_GT(result.at("l0"), 3);
  EXPECT_LT(result.at("l0"), 12);
  EXPECT_LT(result.at("fvu"), 0.7);
  const auto config = IdentifyModel(tiny.Path("model"))->config;
  const auto sae = LoadSae({tiny.Path("trained/params.npz"), {}, ""}, config, at::kCPU);
  ASSERT_TRUE(sae.ok()) << sae.status();
  EXPECT_EQ(sae->tap.layer, 1);
  EXPECT_EQ(sae->sae.features(), 64);
  EXPECT_TRUE(std::filesystem::exists(tiny.Path("trained/metrics.jsonl")));
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
