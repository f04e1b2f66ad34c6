#include "train/loop/budget_end.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/train/support/tiny_run.h"
#include "train/collective/single_process_group.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// Puts another model into a folder once the run has written a checkpoint.
class SwapAfterCheckpoint final : public EventSink {
 public:
  SwapAfterCheckpoint(std::string model, std::string other)
      : model_(std::move(model)), other_(std::move(other)) {}
  void Emit(TrainEvent event) override {
    said += event.message + "\n";
    if (event.kind != EventKind::kCheckpoint) return;
    fs::copy(other_, model_, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  }

  std::string said;

 private:
  const std::string model_, other_;
};

JobConfig Budgeted(const TinyRun& tiny) {
  JobConfig job = tiny.Job("fpo");
  job.constraint.budget = 0.0005;
  job.optimizer.lr = 3e-3;
  job.epochs = 1000;
  job.max_steps = 60;
  job.evaluate.every_steps = 0;
  job.checkpoint.every_steps = 60;
  return job;
}

// Back towards what was never its start, the policy would be nowhere.
TEST(BudgetEnd, AnotherModelInTheFolderIsRefused) {
  const TinyRun tiny;
  const JobConfig job = Budgeted(tiny);
  tiny.WriteModel("other", 2);
  SwapAfterCheckpoint swap(tiny.Path("model"), tiny.Path("other"));
  SingleProcessGroup group;
  const absl::Status status = RunTraining(job, tiny.Run("out"), {swap, nullptr, group});
  ASSERT_FALSE(status.ok()) << swap.said;
  EXPECT_THAT(std::string(status.message()), HasSubstr("is another one now"));
  EXPECT_FALSE(fs::exists(tiny.Path("out/model")));
  EXPECT_TRUE(fs::exists(tiny.Path("out/checkpoints/step-60")));
}

}  // namespace
}  // namespace fpo::train
