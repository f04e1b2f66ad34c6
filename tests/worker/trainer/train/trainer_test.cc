#include "worker/trainer/train/trainer.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>

#include "tests/worker/trainer/train/tiny_run.h"
#include "worker/trainer/collective/single_process_group.h"
#include "worker/trainer/train/exit_status.h"
#include "worker/trainer/train/stop_signal.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

// Asks to stop when it sees a step.
class StoppingSink final : public EventSink {
 public:
  explicit StoppingSink(int64_t step) : step_(step) {}
  void Emit(TrainEvent event) override {
    if (event.kind == "step" && event.step == step_) RequestStop();
  }

 private:
  int64_t step_;
};

class TrainerTest : public testing::Test {
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
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("step 1"));
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("rows"));
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
