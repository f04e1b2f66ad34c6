// A run killed at any moment, again and again, ends with the bytes of an uninterrupted run.

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/train/runs/trainer_process.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

// FPO_RESUME_KILLS: how many kills in all; FPO_TEST_SEED repeats a run of the test.
int64_t FromEnvironment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  int64_t value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

// Micro-batches of a few pairs, steps that end in mid-epoch, checkpoints at every third step.
void MakeLong(JobConfig* job) {
  job->batch.pairs = 5;
  job->batch.tokens_per_microbatch = 40;
  job->epochs = 100;
  job->max_steps = 24;
  job->checkpoint.every_steps = 3;
  job->evaluate.every_steps = 4;
}

class ResumeTest : public ::testing::TestWithParam<const char*> {};

TEST_P(ResumeTest, KilledAtAnyMomentItEndsWithTheSameBytes) {
  TrainerProcesses trainer;
  MakeLong(&trainer.job);
  trainer.job.optimizer.name = GetParam();
  trainer.job.model.dtype = GetParam() == std::string("rmsprop") ? "bfloat16" : "float32";
  trainer.Finish("warm");
  fs::rename(trainer.Out("warm") + "/reference.fpr", trainer.Out("reference.fpr"));
  const absl::Time start = absl::Now();
  trainer.Finish("whole");
  const auto whole = static_cast<uint64_t>(absl::ToInt64Milliseconds(absl::Now() - start));

  const int64_t seed = FromEnvironment("FPO_TEST_SEED", 20241126);
  std::cout << "seed " << seed << ", an unbroken run takes " << whole << " ms" << std::endl;
  std::mt19937_64 random(static_cast<uint64_t>(seed));
  int64_t left = FromEnvironment("FPO_RESUME_KILLS", 4), landed = 0, differing = 0;
  for (int64_t run = 0; left > 0; ++run) {
    const std::string name = absl::StrCat("killed-", run);
    for (int64_t kill = std::min<int64_t>(left, 2); kill > 0; --kill, --left) {
      testing::Process process = trainer.Start(name);
      poll(nullptr, 0, static_cast<int>(random() % whole));
      process.Signal(SIGKILL);
      landed += process.Wait(absl::Seconds(60)) == 128 + SIGKILL ? 1 : 0;
    }
    trainer.Finish(name);
    if (HasFatalFailure()) return;
    differing += trainer.DifferingBytes("whole", name);
    fs::remove_all(trainer.Out(name));
  }
  std::cout << landed << " kills landed, " << differing << " bytes differ" << std::endl;
  EXPECT_GT(landed, 0);
  EXPECT_EQ(differing, 0);
}

INSTANTIATE_TEST_SUITE_P(Optimisers, ResumeTest, ::testing::Values("adam", "rmsprop"));

// Counted over the kills: forty evaluations without improvement, none lost and none twice.
TEST(Resume, KilledItStopsEarlyAtTheSameStep) {
  TrainerProcesses trainer;
  MakeLong(&trainer.job);
  trainer.job.epochs = 1000;
  trainer.job.max_steps = 400;
  trainer.job.evaluate.every_steps = 2;
  trainer.job.evaluate.patience = 40;
  trainer.job.evaluate.min_improvement = 100;
  trainer.job.data.eval = {trainer.Out("eval.jsonl")};
  trainer.Finish("warm");
  fs::rename(trainer.Out("warm") + "/reference.fpr", trainer.Out("reference.fpr"));
  trainer.Finish("whole");
  const std::string ended = "stopped early at step 80 of 400";
  EXPECT_NE(Slurp(trainer.Out("whole") + "/run.json").find(ended), std::string::npos);
  for (const int64_t step : {20, 40}) {
    testing::Process process = trainer.Start("killed");
    ASSERT_TRUE(trainer.WaitForStep("killed", step));
    process.Signal(SIGKILL);
    EXPECT_EQ(process.Wait(absl::Seconds(60)), 128 + SIGKILL);
  }
  trainer.Finish("killed");
  EXPECT_NE(Slurp(trainer.Out("killed") + "/run.json").find(ended), std::string::npos);
  EXPECT_EQ(trainer.DifferingBytes("whole", "killed"), 0);
}

TEST(Resume, ACorruptCheckpointIsNamedAndThePreviousOneUsed) {
  TrainerProcesses trainer;
  MakeLong(&trainer.job);
  trainer.Finish("warm");
  fs::rename(trainer.Out("warm") + "/reference.fpr", trainer.Out("reference.fpr"));
  trainer.Finish("whole");
  {
    testing::Process process = trainer.Start("broken");
    ASSERT_TRUE(trainer.WaitForStep("broken", 10));
    process.Signal(SIGKILL);
    process.Wait(absl::Seconds(60));
  }
  fs::path newest;
  for (const auto& entry : fs::directory_iterator(trainer.Out("broken") + "/checkpoints")) {
    if (!entry.path().extension().empty()) continue;  // one that was being written
    if (newest.empty() || entry.path().string() > newest.string()) newest = entry.path();
  }
  fs::resize_file(newest / "optimizer.safetensors",
                  fs::file_size(newest / "optimizer.safetensors") - 1);
  trainer.Finish("broken");
  EXPECT_NE(trainer.Log("broken").find(newest.filename().string() + " is marked bad"),
            std::string::npos)
      << trainer.Log("broken");
  EXPECT_EQ(trainer.DifferingBytes("whole", "broken"), 0);
}

}  // namespace
}  // namespace fpo::train
