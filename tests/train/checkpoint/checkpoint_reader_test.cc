#include "train/checkpoint/checkpoint_reader.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/train/support/scratch_folder.h"
#include "train/checkpoint/checkpoint_writer.h"

namespace fpo::train {
namespace {

void WriteSteps(const ScratchFolder& folder, std::initializer_list<int64_t> steps) {
  CheckpointWriter writer(folder.path(), {.keep_last = 10});
  for (const int64_t step : steps) {
    const CheckpointContent content = {step,
                                       {{"w", at::full({4}, static_cast<double>(step))}},
                                       {{"m", at::ones({4})}},
                                       R"({"position": 12})"};
    ASSERT_TRUE(writer.Write(content).ok());
  }
}

absl::Status Accept(const SavedCheckpoint&) { return absl::OkStatus(); }

TEST(CheckpointReaderTest, ReadsTheNewest) {
  ScratchFolder folder;
  WriteSteps(folder, {9, 10, 100});  // by number, not by name
  std::vector<SkippedCheckpoint> skipped;
  const auto checkpoint = LoadNewestCheckpoint(folder.path(), Accept, &skipped);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->info.step, 100);
  EXPECT_TRUE(at::equal(*checkpoint->model.Tensor("w"), at::full({4}, 100.0)));
  EXPECT_EQ(checkpoint->state_json, R"({"position": 12})");
  EXPECT_TRUE(skipped.empty());
}

TEST(CheckpointReaderTest, FallsBackAndNamesTheCorruptOne) {
  ScratchFolder folder;
  WriteSteps(folder, {1, 2, 3});
  const std::string newest = folder / "checkpoints/step-3/model.safetensors";
  std::string bytes = Slurp(newest);
  bytes[bytes.size() - 1] ^= 1;
  folder.Put("checkpoints/step-3/model.safetensors", bytes);
  std::filesystem::resize_file(folder / "checkpoints/step-2/optimizer.safetensors", 20);
  std::vector<SkippedCheckpoint> skipped;
  const auto checkpoint = LoadNewestCheckpoint(folder.path(), Accept, &skipped);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->info.step, 1);
  ASSERT_EQ(skipped.size(), 2u);
  EXPECT_TRUE(absl::StrContains(skipped[0].why, newest) &&
              absl::StrContains(skipped[0].why, "SHA-256"));
  EXPECT_TRUE(absl::StrContains(skipped[1].why, "20 bytes"));
}

TEST(CheckpointReaderTest, WhatDiffersFromItsManifestIsMarkedBad) {
  ScratchFolder folder;
  WriteSteps(folder, {1, 2});
  std::filesystem::resize_file(folder / "checkpoints/step-2/model.safetensors", 20);
  std::vector<SkippedCheckpoint> skipped;
  EXPECT_TRUE(LoadNewestCheckpoint(folder.path(), Accept, &skipped).ok());
  EXPECT_FALSE(std::filesystem::exists(folder / "checkpoints/step-2"));
  EXPECT_TRUE(std::filesystem::exists(folder / "checkpoints/step-2.bad/manifest.json"));
  ASSERT_EQ(skipped.size(), 1u);
  EXPECT_TRUE(absl::StrContains(skipped[0].why, "is marked bad")) << skipped[0].why;
}

TEST(CheckpointReaderTest, TwoFailedLoadsMarkOneBad) {
  ScratchFolder folder;
  WriteSteps(folder, {1, 2});
  const auto refuse_newest = [](const SavedCheckpoint& checkpoint) {
    return checkpoint.info.step == 2 ? absl::InternalError("no such tensor") : absl::OkStatus();
  };
  for (const char* said : {"is skipped for now", "is marked bad"}) {
    std::vector<SkippedCheckpoint> skipped;
    const auto checkpoint = LoadNewestCheckpoint(folder.path(), refuse_newest, &skipped);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    EXPECT_EQ(checkpoint->info.step, 1);
    ASSERT_EQ(skipped.size(), 1u);
    EXPECT_TRUE(absl::StrContains(skipped[0].why, said)) << skipped[0].why;
    EXPECT_TRUE(absl::StrContains(skipped[0].why, "no such tensor"));
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "checkpoints/step-2"));
}

TEST(CheckpointReaderTest, AManifestOfAnotherStepIsRefused) {
  ScratchFolder folder;
  WriteSteps(folder, {4});
  std::filesystem::rename(folder / "checkpoints/step-4", folder / "checkpoints/step-5");
  EXPECT_TRUE(absl::IsDataLoss(VerifyCheckpoint(folder / "checkpoints/step-5")));
}

TEST(CheckpointReaderTest, NoneIsNotTheSameAsAllCorrupt) {
  ScratchFolder folder;
  std::vector<SkippedCheckpoint> skipped;
  EXPECT_TRUE(absl::IsNotFound(LoadNewestCheckpoint(folder.path(), Accept, &skipped).status()));
  WriteSteps(folder, {1});
  std::filesystem::remove(folder / "checkpoints/step-1/state.json");
  EXPECT_TRUE(absl::IsDataLoss(LoadNewestCheckpoint(folder.path(), Accept, &skipped).status()));
}

TEST(CheckpointReaderTest, DamagedManifestsAreRefused) {
  ScratchFolder folder;
  WriteSteps(folder, {1});
  const std::string manifest = Slurp(folder / "checkpoints/step-1/manifest.json");
  int accepted = 0;
  FuzzByMutation(manifest, 800, [&](const std::string& bytes) {
    folder.Put("checkpoints/step-1/manifest.json", bytes);
    accepted += ReadCheckpoint(folder / "checkpoints/step-1").ok();
  });
  EXPECT_LT(accepted, 400);  // some changes touch only white space or the score
}

}  // namespace
}  // namespace fpo::train
