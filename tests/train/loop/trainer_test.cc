#include "train/loop/trainer.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"
#include "common/files/durable_file.h"
#include "common/hash.h"
#include "tests/train/support/lone_rank.h"
#include "tests/train/support/tiny_run.h"
#include "train/collective/single_process_group.h"
#include "train/events/exit_status.h"
#include "train/events/stop_signal.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

// Asks to stop when it sees a step.
class StoppingSink final : public EventSink {
 public:
  explicit StoppingSink(int64_t step) : step_(step) {}
  void Emit(TrainEvent event) override {
    if (event.kind == EventKind::kStep && event.step == step_) RequestStop();
  }

 private:
  int64_t step_;
};

// Makes a checkpoint's manifest agree with its changed state.json.
void Restamp(const std::string& folder) {
  auto manifest = nlohmann::json::parse(Slurp(folder + "/manifest.json"));
  const std::string state = Slurp(folder + "/state.json");
  manifest["files"]["state.json"] = {{"bytes", state.size()}, {"sha256", ToHex(Sha256Of(state))}};
  ASSERT_TRUE(WriteFileAtomically(folder + "/manifest.json", manifest.dump()).ok());
}

// Rank 1 of 2; the other one only says what it chose.
class SecondRank final : public LoneRank {
 public:
  explicit SecondRank(const CheckpointChoice& choice)
      : LoneRank(1, 2), choice_(absl::StrFormat("%020d%s", choice.step, ToHex(choice.digest))) {}
  absl::StatusOr<std::vector<std::string>> AllGather(absl::string_view own) override {
    return std::vector<std::string>{choice_, std::string(own)};
  }

 private:
  const std::string choice_;
};

class TrainerTest : public ::testing::Test {
 protected:
  void TearDown() override { ClearStopRequest(); }
  RunInputs Inputs(const JobConfig& job) {
    RunInputOptions options;
    options.prepared = tiny_.Path("prepared");
    options.reference = "auto";
    options.auto_file = tiny_.Path("reference.fpr");
    auto inputs = LoadRunInputs(job, options, events_);
    EXPECT_TRUE(inputs.ok()) << inputs.status();
    return *std::move(inputs);
  }
  RunFolder Folder(const JobConfig& job) { return *RunFolder::Open(tiny_.Path("out"), job, true); }
  const TinyRun tiny_;
  RecordingSink events_;
  SingleProcessGroup group_;
};

TEST_F(TrainerTest, StopWritesACheckpointToGoOnFrom) {
  JobConfig job = tiny_.Job("dpo");
  job.checkpoint.every_steps = 100;
  RunInputs inputs = Inputs(job);
  const RunFolder folder = Folder(job);
  StoppingSink stopping(1);
  auto trainer = Trainer::Create(job, inputs, folder, {stopping, nullptr, group_});
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  EXPECT_EQ(ExitCodeOf((*trainer)->Run()), ExitCode::kStopped);
  EXPECT_TRUE(fs::exists(tiny_.Path("out/checkpoints/step-1/manifest.json")));
  ClearStopRequest();
  RunInputs again = Inputs(job);
  trainer = Trainer::Create(job, again, folder, {events_, nullptr, group_});
  ASSERT_TRUE((*trainer)->Resume().ok());
  EXPECT_EQ((*trainer)->step(), 1);
  EXPECT_TRUE((*trainer)->Run().ok());
  EXPECT_EQ((*trainer)->step(), 3);
}

TEST_F(TrainerTest, NotFiniteNamesStepAndRows) {
  JobConfig job = tiny_.Job("simpo");
  RunInputs inputs = Inputs(job);
  {
    const at::NoGradGuard no_grad;
    inputs.policy.model.Parameters().front().second.fill_(std::numeric_limits<float>::quiet_NaN());
  }
  job.evaluate.every_steps = 0;
  const RunFolder folder = Folder(job);
  auto trainer = Trainer::Create(job, inputs, folder, {events_, nullptr, group_});
  const absl::Status status = (*trainer)->Run();
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kNotFinite);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("step 1"));
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("rows"));
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("last good checkpoint is none"));
}

TEST_F(TrainerTest, OtherDataCannotResume) {
  JobConfig job = tiny_.Job("simpo");
  const RunFolder folder = Folder(job);
  {
    RunInputs inputs = Inputs(job);
    ASSERT_TRUE((*Trainer::Create(job, inputs, folder, {events_, nullptr, group_}))->Run().ok());
  }
  job.seed = 5;
  RunInputs inputs = Inputs(job);
  auto trainer = Trainer::Create(job, inputs, folder, {events_, nullptr, group_});
  EXPECT_EQ(ExitCodeOf((*trainer)->Resume()), ExitCode::kInvalid);
}

TEST_F(TrainerTest, ZeroCheckpointStepsMeansOneAtTheEnd) {
  JobConfig job = tiny_.Job("simpo");
  job.checkpoint.every_steps = 0;
  RunInputs inputs = Inputs(job);
  const RunFolder folder = Folder(job);
  ASSERT_TRUE((*Trainer::Create(job, inputs, folder, {events_, nullptr, group_}))->Run().ok());
  EXPECT_TRUE(fs::exists(tiny_.Path("out/checkpoints/step-3/manifest.json")));
  EXPECT_FALSE(fs::exists(tiny_.Path("out/checkpoints/step-2")));
}

TEST_F(TrainerTest, RecordsWithOtherValuesCannotResume) {
  JobConfig job = tiny_.Job("dpo");
  const RunFolder folder = Folder(job);
  {
    RunInputs inputs = Inputs(job);
    ASSERT_TRUE((*Trainer::Create(job, inputs, folder, {events_, nullptr, group_}))->Run().ok());
  }
  const std::string state = tiny_.Path("out/checkpoints/step-2/state.json");
  std::string text = Slurp(state);
  const size_t probe = text.find("reference_probe");
  const size_t minus = text.find('-', probe);
  text.insert(minus + 1, "1");  // -12.5 becomes -112.5
  ASSERT_TRUE(WriteFileAtomically(state, text).ok());
  Restamp(tiny_.Path("out/checkpoints/step-2"));
  RunInputs inputs = Inputs(job);
  auto trainer = Trainer::Create(job, inputs, folder, {events_, nullptr, group_});
  const absl::Status status = (*trainer)->Resume();
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kForeignCache) << status;
}

TEST_F(TrainerTest, EveryRankGoesOnFromTheCheckpointThatTheFirstOneChose) {
  JobConfig job = tiny_.Job("simpo");
  job.checkpoint.every_steps = 1;
  const RunFolder folder = Folder(job);
  {
    RunInputs inputs = Inputs(job);
    ASSERT_TRUE((*Trainer::Create(job, inputs, folder, {events_, nullptr, group_}))->Run().ok());
  }
  const std::string older = tiny_.Path("out/checkpoints/step-2");
  ASSERT_TRUE(fs::exists(tiny_.Path("out/checkpoints/step-3"))) << "newer than the one chosen";
  const Digest digest = Sha256Of(Slurp(older + "/manifest.json"));
  Digest other = digest;
  other.back() ^= 1;
  const auto resume = [&](const CheckpointChoice& choice, int64_t* step) {
    SecondRank group(choice);
    RunInputs inputs = Inputs(job);
    auto trainer = Trainer::Create(job, inputs, folder, {events_, nullptr, group});
    const absl::Status status = (*trainer)->Resume();
    *step = (*trainer)->step();
    return status;
  };
  int64_t step = -1;
  EXPECT_TRUE(resume({2, digest}, &step).ok());
  EXPECT_EQ(step, 2);
  EXPECT_TRUE(resume({}, &step).ok());
  EXPECT_EQ(step, 0) << "the first rank found none";
  EXPECT_EQ(ExitCodeOf(resume({2, other}, &step)), ExitCode::kStorage) << "another step-2";
  EXPECT_EQ(ExitCodeOf(resume({1, digest}, &step)), ExitCode::kStorage) << "no step-1 here";
}

TEST_F(TrainerTest, StepsEndWithTheEpochs) {
  JobConfig job = tiny_.Job("simpo");
  job.max_steps.reset();
  job.epochs = 2;
  job.batch.pairs = 5;
  RunInputs inputs = Inputs(job);
  const RunFolder folder = Folder(job);
  auto trainer = Trainer::Create(job, inputs, folder, {events_, nullptr, group_});
  EXPECT_EQ((*trainer)->total_steps(), 6);  // 12 pairs: 5 + 5 + 2, twice
  ASSERT_TRUE((*trainer)->Run().ok());
  EXPECT_EQ(ReadMetrics(tiny_.Path("out"))[2].at("pairs"), 2);
  EXPECT_DOUBLE_EQ(ReadMetrics(tiny_.Path("out"))[5].at("epoch"), 2.0);
}

}  // namespace
}  // namespace fpo::train
