#include "train/checkpoint/checkpoint_writer.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"
#include "train/checkpoint/checkpoint_reader.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;

CheckpointContent Content(int64_t step) {
  return {step,
          {{"w", at::full({2, 2}, static_cast<double>(step))}},
          {{"m", at::ones({2, 2})}},
          R"({"epoch": 1})"};
}

std::vector<int64_t> Steps(const ScratchFolder& folder) {
  std::vector<int64_t> steps;
  for (const CheckpointInfo& info : ListCheckpoints(folder.path())) steps.push_back(info.step);
  return steps;
}

TEST(CheckpointWriterTest, KeepsTheLastAndTheBest) {
  ScratchFolder folder;
  CheckpointWriter writer(folder.path(), {.keep_last = 2, .keep_best = 1});
  const double scores[] = {0.7, 0.3, 0.5, 0.6, 0.4};
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(writer.Write(Content(10 * (i + 1)), scores[i]).ok());
  EXPECT_THAT(Steps(folder), ElementsAre(50, 40, 20));
}

TEST(CheckpointWriterTest, WithoutScoresOnlyTheLast) {
  ScratchFolder folder;
  CheckpointWriter writer(folder.path(), {.keep_last = 1, .keep_best = 3});
  for (int step = 1; step <= 3; ++step) ASSERT_TRUE(writer.Write(Content(step)).ok());
  EXPECT_THAT(Steps(folder), ElementsAre(3));
}

TEST(CheckpointWriterTest, RemovesWhatAKilledRunLeft) {
  ScratchFolder folder;
  folder.Put("checkpoints/step-7.tmp/model.safetensors", "half");
  folder.Put("checkpoints/step-3.old/manifest.json", "{}");
  CheckpointWriter writer(folder.path(), {});
  ASSERT_TRUE(writer.Write(Content(8)).ok());
  EXPECT_FALSE(std::filesystem::exists(folder / "checkpoints/step-7.tmp"));
  EXPECT_FALSE(std::filesystem::exists(folder / "checkpoints/step-3.old"));
}

TEST(CheckpointWriterTest, ReplacesTheSameStep) {
  ScratchFolder folder;
  CheckpointWriter writer(folder.path(), {});
  ASSERT_TRUE(writer.Write(Content(5)).ok());
  CheckpointContent second = Content(5);
  second.state_json = R"({"epoch": 2})";
  const auto path = writer.Write(second, 0.25);
  ASSERT_TRUE(path.ok()) << path.status();
  const auto read = ReadCheckpoint(*path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->state_json, R"({"epoch": 2})");
  EXPECT_EQ(read->info.score, 0.25);
}

TEST(CheckpointWriterTest, AFailedWriteLeavesNothing) {
  ScratchFolder folder;
  CheckpointWriter writer(folder.path(), {});
  CheckpointContent bad = Content(5);
  bad.model["undefined"] = at::Tensor();
  EXPECT_FALSE(writer.Write(bad).ok());
  EXPECT_TRUE(std::filesystem::is_empty(folder / "checkpoints"));
}

}  // namespace
}  // namespace fpo::train
