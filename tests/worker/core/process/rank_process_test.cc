#include "worker/core/process/rank_process.h"

#include <signal.h>

#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/waits/moved_wall.h"
#include "tests/support/process_fixture.h"
#include "tests/support/unkillable_spawner.h"

namespace fpo::worker {
namespace {

using fpo::testing::FakeTrainer;
using fpo::testing::IsAlive;
using fpo::testing::RecordingSink;
using ::testing::ElementsAre;

class RankProcessTest : public ::testing::Test {
 protected:
  std::unique_ptr<RankProcess> Start(const std::vector<std::string>& words) {
    auto process = RankProcess::Start(spawner_, FakeTrainer(words), sink_);
    EXPECT_TRUE(process.ok()) << process.status();
    return *std::move(process);
  }
  pid_t ChildOf(RankProcess*) {
    int child = 0;
    EXPECT_TRUE(absl::SimpleAtoi(sink_.AwaitEvent(1), &child));
    EXPECT_TRUE(child > 0);
    return child;
  }

  Spawner spawner_;
  RecordingSink sink_;
};

TEST_F(RankProcessTest, BringsLinesAndEventsThenTheExit) {
  const auto process = Start({"talk"});
  const RankExit exit = process->Wait();
  EXPECT_EQ(exit.code, 0);
  EXPECT_TRUE(exit.gone);
  EXPECT_THAT(sink_.lines(LineStream::kStdout),
              ElementsAre("out 0", "out 1", "out 2", "no newline"));
  EXPECT_THAT(sink_.lines(LineStream::kStderr), ElementsAre("err 0", "err 1", "err 2"));
  ASSERT_EQ(sink_.events().size(), 1u);
  EXPECT_EQ(sink_.events()[0].step, 1);
  EXPECT_THAT(sink_.lines(LineStream::kAgent),
              ElementsAre("1 lines on descriptor 3 were no events"));
}

TEST_F(RankProcessTest, TellsEveryExitCode) {
  for (const int code : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 93}) {
    EXPECT_EQ(Start({"exit", std::to_string(code)})->Wait().code, code);
  }
}

TEST_F(RankProcessTest, TellsSignals) {
  EXPECT_EQ(Start({"segv"})->Wait().signal, SIGSEGV);
  const RankExit killed = Start({"kill"})->Wait();
  EXPECT_EQ(killed.signal, SIGKILL);
  EXPECT_FALSE(killed.stopped);
}

TEST_F(RankProcessTest, CommandsArriveInOrder) {
  const auto process = Start({"echo"});
  ASSERT_TRUE(process->Send({.kind = "score", .ordinals = {1, 2, 3}, .file = "x"}).ok());
  const std::vector<int64_t> many(20'000, 123456);
  ASSERT_TRUE(process->Send({.kind = "score", .ordinals = many, .file = "x"}).ok());
  EXPECT_EQ(sink_.AwaitEvent(1), "score 3");
  EXPECT_EQ(sink_.AwaitEvent(2), "score 20000");
  ASSERT_TRUE(process->Send({.kind = "stop", .ordinals = {}, .file = ""}).ok());
  EXPECT_EQ(process->Wait().code, 0);
  EXPECT_FALSE(process->Send({.kind = "stop", .ordinals = {}, .file = ""}).ok());
}

TEST_F(RankProcessTest, StopLetsItFinishWithinTheGrace) {
  const auto process = Start({"hang"});
  EXPECT_EQ(sink_.AwaitEvent(1), "waiting");
  process->Stop(absl::Seconds(30));
  const RankExit exit = process->Wait();
  EXPECT_EQ(exit.code, 7);
  EXPECT_TRUE(exit.stopped);
  EXPECT_THAT(sink_.lines(LineStream::kStderr), ElementsAre("stopping"));
}

TEST_F(RankProcessTest, StopKillsWhatIgnoresIt) {
  const auto process = Start({"ignore-term"});
  EXPECT_EQ(sink_.AwaitEvent(1), "waiting");
  const absl::Time start = absl::Now();
  process->Stop(absl::Milliseconds(200));
  const RankExit exit = process->Wait();
  EXPECT_EQ(exit.signal, SIGKILL);
  EXPECT_TRUE(exit.stopped);
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(200));
}

TEST_F(RankProcessTest, ASecondStopShortensTheGrace) {
  const auto process = Start({"ignore-term"});
  EXPECT_EQ(sink_.AwaitEvent(1), "waiting");
  process->Stop(absl::Hours(1));
  process->Stop(absl::ZeroDuration());
  EXPECT_EQ(process->Wait().signal, SIGKILL);
}

TEST_F(RankProcessTest, GrandchildrenDieWithACancelledRank) {
  const auto process = Start({"child"});
  const pid_t child = ChildOf(process.get());
  process->Stop(absl::ZeroDuration());
  EXPECT_TRUE(process->Wait().gone);
  EXPECT_FALSE(IsAlive(child));
}

TEST_F(RankProcessTest, AGrandchildThatHoldsThePipesDoesNotDelayTheEnd) {
  const absl::Time start = absl::Now();
  const auto process = Start({"child-exit"});
  EXPECT_EQ(process->Wait().code, 0);
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  EXPECT_FALSE(IsAlive(ChildOf(process.get())));
}

TEST_F(RankProcessTest, AGrandchildInASessionOfItsOwnIsFoundByItsEnvironment) {
  const auto process = Start({"runaway-exit"});
  EXPECT_TRUE(process->Wait().gone);
  EXPECT_FALSE(IsAlive(ChildOf(process.get())));
}

TEST_F(RankProcessTest, TheDestructorKills) {
  auto process = Start({"ignore-term"});
  EXPECT_EQ(sink_.AwaitEvent(1), "waiting");
  const pid_t pid = process->pid();
  process.reset();
  EXPECT_FALSE(IsAlive(pid));
}

TEST_F(RankProcessTest, OneThatSigkillDoesNotEndIsGivenUp) {
  fpo::testing::UnkillableSpawner spawner;
  RankCommand command = FakeTrainer({"talk"});
  command.death_time = absl::Milliseconds(50);
  auto process = RankProcess::Start(spawner, command, sink_);
  ASSERT_TRUE(process.ok()) << process.status();
  (*process)->Stop(absl::ZeroDuration());
  RankExit exit;
  ASSERT_TRUE((*process)->WaitFor(absl::Seconds(30), &exit));
  EXPECT_FALSE(exit.ended);
  EXPECT_FALSE(exit.gone);
  EXPECT_EQ(EndClassOf(exit), EndClass::kInfrastructure);
  EXPECT_THAT(DescribeExit(exit), ::testing::HasSubstr("does not end on SIGKILL"));
  process->reset();  // and nothing waits for it
}

TEST_F(RankProcessTest, TheGraceIsTheSameWhereverTheWallClockMoves) {
  size_t started = 0;
  for (const absl::Duration by : {absl::Hours(1), -absl::Hours(1)}) {
    const auto process = Start({"ignore-term"});
    EXPECT_EQ(sink_.AwaitEvent(++started), "waiting");
    const absl::Time begin = BootNow();
    process->Stop(absl::Milliseconds(300));
    const fpo::testing::MovedWall moved(by);
    EXPECT_EQ(process->Wait().signal, SIGKILL);
    const absl::Duration took = BootNow() - begin;
    EXPECT_GE(took, absl::Milliseconds(300)) << by;
    EXPECT_LT(took, absl::Minutes(1)) << by;
  }
}

}  // namespace
}  // namespace fpo::worker
