#include "train/saving/rank_checkpoints.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/failpoint.h"
#include "common/outputs/output_lock.h"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/thread_ranks.h"
#include "train/checkpoint/checkpoint_reader.h"
#include "train/collective/single_process_group.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

class AnnouncedSteps final : public EventSink {
 public:
  void Emit(TrainEvent event) override { steps.push_back(event.step); }
  std::vector<int64_t> steps;
};

// One rank of a run: its checkpoints, and the tensors that all ranks have alike.
struct SavingRank {
  SavingRank(const std::string& out, bool background, ProcessGroup& group)
      : SavingRank(out, Options(background), group) {}
  SavingRank(const std::string& out, const BackgroundCheckpoints::Options& options,
             ProcessGroup& group)
      : checkpoints(out, options, events, group) {}
  static BackgroundCheckpoints::Options Options(bool background) {
    BackgroundCheckpoints::Options options;
    options.writer.keep_last = 10;
    options.background = background;
    options.memory_bytes = int64_t{1} << 40;
    return options;
  }
  CheckpointContent Content(int64_t step) const {
    return {step, {{"w", weight}, {"v", at::ones({7})}}, {{"m", moment}}, R"({"epoch": 1})"};
  }
  AnnouncedSteps events;
  const at::Tensor weight = at::ones({300, 1000}), moment = at::zeros({300, 1000});
  RankCheckpoints checkpoints;
};

class RankCheckpointsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HasRanks()) GTEST_SKIP() << "built without Gloo";
    auto lock = OutputLock::Take(folder_.path(), HolderOf(""));
    ASSERT_TRUE(lock.ok()) << lock.status();
    lock_ = *std::move(lock);
  }
  void TearDown() override { DisarmFailpoints(); }

  float Saved(int64_t step) const {
    const auto saved = ReadCheckpoint(folder_ / ("checkpoints/step-" + std::to_string(step)));
    EXPECT_TRUE(saved.ok()) << saved.status();
    if (!saved.ok()) return -1;
    EXPECT_EQ(saved->world, 2);
    EXPECT_TRUE(at::equal(*saved->model.Tensor("v"), at::ones({7})));
    EXPECT_TRUE(at::equal(*saved->optimizer.Tensor("m"), at::zeros({300, 1000})));
    const at::Tensor weight = *saved->model.Tensor("w");
    EXPECT_EQ(weight.min().item<float>(), weight.max().item<float>()) << "of one step";
    return weight.max().item<float>();
  }
  std::vector<std::string> NamesIn(const std::string& folder) const {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder_ / folder, error)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  const ScratchFolder folder_;
  std::unique_ptr<OutputLock> lock_;  // the first rank's
};

TEST_F(RankCheckpointsTest, EachRankWritesItsPartBesideTraining) {
  AsRanks(2, [&](ProcessGroup& group) {
    SavingRank rank(folder_.path(), /*background=*/true, group);
    EXPECT_EQ(rank.checkpoints.FindFolder().value(), "");
    EXPECT_TRUE(rank.checkpoints.in_parts());
    ASSERT_TRUE(rank.checkpoints.Write(rank.Content(1), 0.5, /*last=*/false).ok());
    EXPECT_TRUE(rank.checkpoints.writing());
    rank.weight.fill_(2);
    ASSERT_TRUE(rank.checkpoints.Write(rank.Content(2), {}, /*last=*/false).ok());
    rank.weight.fill_(3);
    while (rank.checkpoints.writing()) ASSERT_TRUE(rank.checkpoints.Poll().ok());
    ASSERT_TRUE(rank.checkpoints.Write(rank.Content(3), {}, /*last=*/true).ok());
    EXPECT_FALSE(rank.checkpoints.writing()) << "complete on return";
    ASSERT_TRUE(rank.checkpoints.Finish().ok());
    EXPECT_GT(rank.checkpoints.seconds(), 0);
    if (group.rank() == 0) {
      EXPECT_THAT(rank.events.steps, ElementsAre(1, 2, 3));
    } else {
      EXPECT_THAT(rank.events.steps, IsEmpty());
    }
  });
  for (const int64_t step : {1, 2, 3}) EXPECT_EQ(Saved(step), static_cast<float>(step));
  EXPECT_THAT(NamesIn("checkpoints"), ElementsAre("step-1", "step-2", "step-3"));
  EXPECT_THAT(NamesIn("checkpoints/step-1"),
              ElementsAre("manifest.json", "model-rank-0-of-2.safetensors",
                          "model-rank-1-of-2.safetensors", "optimizer-rank-0-of-2.safetensors",
                          "optimizer-rank-1-of-2.safetensors", "state.json"));
  const auto bytes = [&](const std::string& name) {
    return fs::file_size(folder_ / ("checkpoints/step-1/" + name + "-of-2.safetensors"));
  };
  EXPECT_NEAR(static_cast<double>(bytes("model-rank-0")),
              static_cast<double>(bytes("model-rank-1")), 200);
}

TEST_F(RankCheckpointsTest, WithoutBackgroundItIsCompleteOnReturn) {
  AsRanks(2, [&](ProcessGroup& group) {
    SavingRank rank(folder_.path(), /*background=*/false, group);
    ASSERT_TRUE(rank.checkpoints.FindFolder().ok());
    ASSERT_TRUE(rank.checkpoints.Write(rank.Content(1), {}, /*last=*/false).ok());
    EXPECT_FALSE(rank.checkpoints.writing());
    EXPECT_EQ(ListCheckpoints(folder_.path()).size(), 1u);
    ASSERT_TRUE(group.Barrier("test").ok());
  });
  EXPECT_EQ(Saved(1), 1);
}

// Two ranks of one host copy at the same time: memory must have room for both.
TEST_F(RankCheckpointsTest, WithoutMemoryForTheCopiesOfItsHostARankWritesAtOnce) {
  constexpr int64_t kCopies = 2 * 300'000 * 4;  // of both ranks
  for (const int64_t memory : {kCopies, kCopies + kCopies / 4}) {
    AsRanks(2, [&](ProcessGroup& group) {
      BackgroundCheckpoints::Options options = SavingRank::Options(true);
      options.memory_bytes = memory;
      SavingRank rank(folder_.path(), options, group);
      ASSERT_TRUE(rank.checkpoints.FindFolder().ok());
      ASSERT_TRUE(rank.checkpoints.Write(rank.Content(memory), {}, /*last=*/false).ok());
      EXPECT_EQ(rank.checkpoints.copies(), memory > kCopies);
      EXPECT_TRUE(rank.checkpoints.writing()) << "published at a step boundary all the same";
      while (rank.checkpoints.writing()) ASSERT_TRUE(rank.checkpoints.Poll().ok());
    });
    EXPECT_EQ(Saved(memory), 1);
  }
}

// Ranks may own any pieces, and need not own any.
TEST_F(RankCheckpointsTest, PiecesOfAShardedStateAreWrittenAsTheyAre) {
  AsRanks(2, [&](ProcessGroup& group) {
    SavingRank rank(folder_.path(), /*background=*/true, group);
    ASSERT_TRUE(rank.checkpoints.FindFolder().ok());
    CheckpointShard shard = {4, group.rank(), 2, {}, {}};
    if (group.rank() == 0) {
      shard.model = {{"w", {2, 3}, 4, 6, at::full({2}, 5.0)}};
    } else {
      shard.model = {{"w", {2, 3}, 0, 4, at::full({4}, 6.0)}};
      shard.optimizer = {{"step", {}, 0, 1, at::full({1}, 4, at::kLong)}};
    }
    ASSERT_TRUE(rank.checkpoints.WriteShards(shard, "{}", 0.5, /*last=*/false).ok());
    ASSERT_TRUE(rank.checkpoints.Finish().ok());
  });
  const auto saved = ReadCheckpoint(folder_ / "checkpoints/step-4");
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_EQ(saved->info.score, 0.5);
  EXPECT_TRUE(at::equal(*saved->model.Tensor("w"),
                        at::tensor({6.0, 6.0, 6.0, 6.0, 5.0, 5.0}).view({2, 3}).to(at::kFloat)));
  EXPECT_EQ(saved->optimizer.Tensor("step")->item<int64_t>(), 4);
}

TEST_F(RankCheckpointsTest, OneRanksFailureIsEveryRanks) {
  // The second one to have written its files.
  ASSERT_TRUE(ArmFailpoint("checkpoint.shard_written=error@2").ok());
  AsRanks(2, [&](ProcessGroup& group) {
    SavingRank rank(folder_.path(), /*background=*/true, group);
    ASSERT_TRUE(rank.checkpoints.FindFolder().ok());
    ASSERT_TRUE(rank.checkpoints.Write(rank.Content(1), {}, /*last=*/false).ok());
    const absl::Status finished = rank.checkpoints.Finish();
    EXPECT_EQ(ExitCodeOf(finished), ExitCode::kStorage);
    EXPECT_THAT(std::string(finished.message()),
                AnyOf(HasSubstr("rank 0 cannot write its part of the checkpoint of step 1"),
                      HasSubstr("rank 1 cannot write its part of the checkpoint of step 1")));
    EXPECT_THAT(rank.events.steps, IsEmpty());
  });
  EXPECT_THAT(NamesIn("checkpoints"), IsEmpty());
}

TEST_F(RankCheckpointsTest, AFolderThatTheFirstCannotMakeIsEveryRanksFailure) {
  folder_.Put("checkpoints", "a file");
  AsRanks(2, [&](ProcessGroup& group) {
    SavingRank rank(folder_.path(), /*background=*/true, group);
    ASSERT_TRUE(rank.checkpoints.FindFolder().ok());
    const absl::Status begun = rank.checkpoints.Write(rank.Content(1), {}, /*last=*/false);
    EXPECT_EQ(ExitCodeOf(begun), ExitCode::kStorage);
    EXPECT_THAT(std::string(begun.message()), HasSubstr("cannot create"));
    EXPECT_FALSE(rank.checkpoints.writing());
  });
}

// Hosts without a shared file system train as ever; a state in parts needs one.
TEST_F(RankCheckpointsTest, WithoutASharedFolderTheFirstRankWritesAll) {
  AsRanks(2, [&](ProcessGroup& group) {
    SavingRank rank(group.rank() == 0 ? folder_.path() : folder_ / "elsewhere", /*background=*/true,
                    group);
    EXPECT_THAT(rank.checkpoints.FindFolder().value(),
                HasSubstr("rank 1 does not see the output folder"));
    EXPECT_FALSE(rank.checkpoints.in_parts());
    ASSERT_TRUE(rank.checkpoints.Write(rank.Content(1), {}, /*last=*/false).ok());
    ASSERT_TRUE(rank.checkpoints.Poll().ok());
    ASSERT_TRUE(rank.checkpoints.Finish().ok());
    const absl::Status parts =
        rank.checkpoints.WriteShards({2, group.rank(), 2, {}, {}}, "{}", {}, /*last=*/false);
    EXPECT_TRUE(absl::IsFailedPrecondition(parts)) << parts;
    EXPECT_THAT(std::string(parts.message()), HasSubstr("that all hosts share"));
  });
  EXPECT_TRUE(fs::exists(folder_ / "checkpoints/step-1/model.safetensors"));
}

// A rank whose run has failed makes no call that the others would have to answer.
TEST_F(RankCheckpointsTest, WhatIsAbandonedDoesNotCount) {
  AsRanks(2, [&](ProcessGroup& group) {
    SavingRank rank(folder_.path(), /*background=*/true, group);
    ASSERT_TRUE(rank.checkpoints.FindFolder().ok());
    ASSERT_TRUE(rank.checkpoints.Write(rank.Content(1), {}, /*last=*/false).ok());
    if (group.rank() == 1) return rank.checkpoints.Abandon();
    rank.checkpoints.Abandon();
    EXPECT_FALSE(rank.checkpoints.writing());
  });
  EXPECT_TRUE(ListCheckpoints(folder_.path()).empty());
}

TEST_F(RankCheckpointsTest, OneRankWritesAsEver) {
  SingleProcessGroup group;
  SavingRank rank(folder_.path(), /*background=*/true, group);
  ASSERT_TRUE(rank.checkpoints.FindFolder().ok());
  ASSERT_TRUE(rank.checkpoints.Write(rank.Content(1), {}, /*last=*/false).ok());
  ASSERT_TRUE(rank.checkpoints.Finish().ok());
  EXPECT_THAT(rank.events.steps, ElementsAre(1));
  EXPECT_THAT(NamesIn("checkpoints/step-1"), ElementsAre("manifest.json", "model.safetensors",
                                                         "optimizer.safetensors", "state.json"));
}

}  // namespace
}  // namespace fpo::train
