#include "worker/core/process/rank_group.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/waits/moved_wall.h"
#include "tests/worker/core/agent_fixture.h"

namespace fpo::worker {
namespace {

using fpo::testing::FakeTrainer;
using ::testing::HasSubstr;

class RankGroupTest : public ::testing::Test {
 protected:
  GroupEnd Run(const std::vector<std::vector<std::string>>& ranks) {
    std::vector<RankCommand> commands;
    for (const auto& words : ranks) {
      commands.push_back(FakeTrainer(words));
      commands.back().identity.rank = static_cast<int32_t>(commands.size()) - 1;
    }
    return RunRankGroup({"train", &output_, &output_}, commands, &processes_);
  }

  fpo::testing::AgentParts parts_;
  ProcessSet processes_{&parts_.spawner, parts_.journal.get(), &parts_.metrics};
  RankOutput output_{{"job", 1, 1}, -1, &parts_.outbox, &parts_.metrics};
};

TEST_F(RankGroupTest, IsDoneWhenAllRanksAre) {
  EXPECT_TRUE(Run({{"talk"}, {"exit", "0"}, {"talk"}}).end.ok());
}

TEST_F(RankGroupTest, TheFirstFailureStopsTheOthersAndTellsTheStory) {
  const absl::Time start = absl::Now();
  const GroupEnd group = Run({{"hang"}, {"exit-5 no memory left"}, {"hang"}});
  EXPECT_EQ(group.end.end_class, EndClass::kMemory);
  EXPECT_THAT(group.end.message, HasSubstr("train, rank 1: exit code 5"));
  EXPECT_THAT(group.end.message, HasSubstr("no memory left"));
  EXPECT_LT(absl::Now() - start, absl::Seconds(15));
}

TEST_F(RankGroupTest, AGroupThatFallsSilentIsTakenForHung) {
  const GroupEnd group = RunRankGroup({"train", &output_, &output_, absl::Milliseconds(300)},
                                      {FakeTrainer({"ignore-term"})}, &processes_);
  EXPECT_EQ(group.end.end_class, EndClass::kInfrastructure);
  EXPECT_THAT(group.end.message, HasSubstr("train: silent for 300ms"));
}

TEST_F(RankGroupTest, StopEndsIt) {
  processes_.Stop(absl::ZeroDuration());
  EXPECT_EQ(Run({{"hang"}}).end.end_class, EndClass::kAsked);
}

TEST_F(RankGroupTest, AProgramThatCannotRunIsTheHostsFault) {
  RankCommand command = FakeTrainer({});
  command.spawn.argv = {"/nowhere"};
  const GroupEnd group = RunRankGroup({"train", &output_, &output_}, {command}, &processes_);
  EXPECT_EQ(group.end.end_class, EndClass::kInfrastructure);
  EXPECT_THAT(group.end.message, HasSubstr("/nowhere"));
}

// A rank says that it waits; then the wall clock moves while the group is watched.
class WallMover final : public RankSink {
 public:
  WallMover(RankOutput* output, absl::Duration by) : output_(output), by_(by) {}
  void OnLine(int32_t rank, LineStream stream, const std::string& text) override {
    output_->OnLine(rank, stream, text);
  }
  void OnEvent(int32_t rank, const TrainEvent& event, const std::string& json) override {
    output_->OnEvent(rank, event, json);
    if (moved_ == nullptr) moved_ = std::make_unique<fpo::testing::MovedWall>(by_);
    if (event.message == "waiting") waiting.Notify();
  }
  absl::Notification waiting;

 private:
  RankOutput* const output_;
  const absl::Duration by_;
  std::unique_ptr<fpo::testing::MovedWall> moved_;
};

TEST_F(RankGroupTest, AWallClockThatMovesForwardIsNoSilence) {
  WallMover sink(&output_, absl::Hours(1));
  std::thread stop([&] {
    sink.waiting.WaitForNotification();
    absl::SleepFor(absl::Milliseconds(300));  // in which a wrong clock would show
    processes_.Stop(absl::ZeroDuration());
  });
  const GroupEnd group = RunRankGroup({"train", &sink, &output_, absl::Minutes(10)},
                                      {FakeTrainer({"ignore-term"})}, &processes_);
  stop.join();
  EXPECT_EQ(group.end.end_class, EndClass::kAsked) << group.end.message;
}

TEST_F(RankGroupTest, AnotherRanksEndIsSeenWhereverTheWallClockIs) {
  const fpo::testing::MovedWall moved(absl::Hours(1));
  const absl::Time begin = BootNow();
  const GroupEnd group = Run({{"hang"}, {"exit-5 no memory left"}});
  EXPECT_EQ(group.end.end_class, EndClass::kMemory);
  EXPECT_LT(BootNow() - begin, absl::Minutes(1));
}

}  // namespace
}  // namespace fpo::worker
