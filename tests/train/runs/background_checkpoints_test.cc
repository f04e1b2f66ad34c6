#include "train/runs/background_checkpoints.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/train/support/scratch_folder.h"
#include "train/checkpoint/checkpoint_reader.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class CheckpointEvents final : public EventSink {
 public:
  void Emit(TrainEvent event) override { events.push_back(std::move(event)); }
  std::vector<TrainEvent> events;
};

constexpr int64_t kPlenty = int64_t{1} << 40;

class BackgroundCheckpointsTest : public ::testing::Test {
 protected:
  BackgroundCheckpoints::Options Options(bool background, int64_t memory_bytes) const {
    BackgroundCheckpoints::Options options;
    options.writer.keep_last = 10;
    options.background = background;
    options.memory_bytes = memory_bytes;
    return options;
  }
  CheckpointContent Content(int64_t step) const {
    return {step, {{"w", weight_}}, {{"m", moment_}}, R"({"epoch": 1})"};
  }
  std::vector<int64_t> Announced() const {
    std::vector<int64_t> steps;
    for (const TrainEvent& event : events_.events) steps.push_back(event.step);
    return steps;
  }
  at::Tensor Saved(int64_t step) const {
    const auto saved = ReadCheckpoint(folder_ / ("checkpoints/step-" + std::to_string(step)));
    EXPECT_TRUE(saved.ok()) << saved.status();
    return saved.ok() ? saved->model.Tensor("w")->clone() : at::Tensor();
  }

  const ScratchFolder folder_;
  CheckpointEvents events_;
  const at::Tensor weight_ = at::ones({300, 1000}), moment_ = at::zeros({300, 1000});
};

TEST_F(BackgroundCheckpointsTest, TensorsMayChangeWhileTheyAreWritten) {
  BackgroundCheckpoints checkpoints(folder_.path(), Options(true, kPlenty), events_);
  ASSERT_TRUE(checkpoints.Write(Content(1), 0.5, /*last=*/false).ok());
  EXPECT_TRUE(checkpoints.writing());
  weight_.fill_(2);
  ASSERT_TRUE(checkpoints.Write(Content(2), {}, /*last=*/false).ok()) << "waits for the first";
  EXPECT_THAT(Announced(), ElementsAre(1));
  weight_.fill_(3);
  ASSERT_TRUE(checkpoints.Finish().ok());
  EXPECT_THAT(Announced(), ElementsAre(1, 2));
  EXPECT_EQ(Saved(1).max().item<float>(), 1);
  EXPECT_EQ(Saved(2).max().item<float>(), 2);
  EXPECT_FALSE(checkpoints.writing());
  ASSERT_TRUE(checkpoints.Poll().ok());
  EXPECT_THAT(Announced(), ElementsAre(1, 2));
}

// At once: when asked for, for the last one, and without memory for a copy.
TEST_F(BackgroundCheckpointsTest, WithoutACopyItIsCompleteOnReturn) {
  const int64_t copy = 2 * weight_.numel() * 4;
  int64_t step = 0;
  const std::vector<std::tuple<bool, int64_t, bool>> cases = {
      {false, kPlenty, false}, {true, kPlenty, true}, {true, copy, false}};
  for (const auto& [background, memory, last] : cases) {
    BackgroundCheckpoints checkpoints(folder_.path(), Options(background, memory), events_);
    ASSERT_TRUE(checkpoints.Write(Content(++step), {}, last).ok());
    EXPECT_FALSE(checkpoints.writing());
    EXPECT_EQ(Announced().back(), step);
    EXPECT_GT(checkpoints.seconds(), 0);
  }
  BackgroundCheckpoints checkpoints(folder_.path(), Options(true, copy + copy / 8), events_);
  ASSERT_TRUE(checkpoints.Write(Content(9), {}, /*last=*/false).ok());
  EXPECT_TRUE(checkpoints.writing());
}

TEST_F(BackgroundCheckpointsTest, BothWaysWriteTheSameBytes) {
  at::manual_seed(3);
  weight_.normal_();
  for (const bool background : {true, false}) {
    BackgroundCheckpoints checkpoints(folder_ / (background ? "a" : "b"),
                                      Options(background, kPlenty), events_);
    ASSERT_TRUE(checkpoints.Write(Content(1), 0.5, /*last=*/false).ok());
    ASSERT_TRUE(checkpoints.Finish().ok());
  }
  for (const char* file : {"model.safetensors", "optimizer.safetensors", "manifest.json"}) {
    const std::string name = std::string("/checkpoints/step-1/") + file;
    EXPECT_TRUE(Slurp(folder_ / "a" + name) == Slurp(folder_ / "b" + name)) << file;
  }
}

TEST_F(BackgroundCheckpointsTest, AFailedWriteEndsTheRun) {
  folder_.Put("checkpoints", "a file");
  BackgroundCheckpoints checkpoints(folder_.path(), Options(true, kPlenty), events_);
  ASSERT_TRUE(checkpoints.Write(Content(1), {}, /*last=*/false).ok());
  EXPECT_EQ(ExitCodeOf(checkpoints.Finish()), ExitCode::kStorage);
  EXPECT_THAT(Announced(), IsEmpty());
  ASSERT_TRUE(checkpoints.Write(Content(2), {}, /*last=*/false).ok());
  EXPECT_EQ(ExitCodeOf(checkpoints.Write(Content(3), {}, false)), ExitCode::kStorage);
}

// The write in progress belongs to nobody when a run ends with an error.
TEST_F(BackgroundCheckpointsTest, ItsEndWaitsForTheWrite) {
  {
    BackgroundCheckpoints checkpoints(folder_.path(), Options(true, kPlenty), events_);
    ASSERT_TRUE(checkpoints.Write(Content(1), {}, /*last=*/false).ok());
  }
  EXPECT_EQ(Saved(1).max().item<float>(), 1);
}

}  // namespace
}  // namespace fpo::train
