#include "worker/core/process/rank_exit.h"

#include <signal.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo::worker {
namespace {

RankExit Code(int code) { return {.code = code}; }
RankExit Signal(int signal) { return {.signal = signal}; }

TEST(RankExitTest, EveryExitCodeHasItsClass) {
  const std::pair<int, const char*> rows[] = {
      {0, "done"},    {1, "program"},        {2, "infrastructure"},  {3, "invalid"},
      {4, "invalid"}, {5, "memory"},         {6, "infrastructure"},  {7, "infrastructure"},
      {8, "program"}, {9, "infrastructure"}, {10, "infrastructure"}, {93, "invalid"},
      {42, "program"}};
  for (const auto& [code, end_class] : rows) EXPECT_EQ(EndClass(Code(code)), end_class) << code;
}

TEST(RankExitTest, SignalsOfItsOwnMakingAreTheProgramsFault) {
  for (int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL}) {
    EXPECT_EQ(EndClass(Signal(signal)), "program") << signal;
  }
  EXPECT_EQ(EndClass(Signal(SIGKILL)), "infrastructure");
  EXPECT_EQ(EndClass(Signal(SIGTERM)), "infrastructure");
  RankExit starved = Signal(SIGKILL);
  starved.out_of_memory = true;
  EXPECT_EQ(EndClass(starved), "memory");
  starved.peak_bytes = int64_t{5} << 30;
  EXPECT_THAT(ExitWords(starved), ::testing::HasSubstr("for lack of memory, peak 5120 MiB"));
  RankExit gave_up = Code(1);
  gave_up.out_of_memory = true;
  EXPECT_EQ(EndClass(gave_up), "memory") << "a process it started was killed";
}

TEST(RankExitTest, WhatTheAgentStoppedWasAskedFor) {
  RankExit stopped = Signal(SIGKILL);
  stopped.stopped = true;
  EXPECT_EQ(EndClass(stopped), "asked");
  RankExit checkpoint = Code(7);
  checkpoint.stopped = true;
  EXPECT_EQ(EndClass(checkpoint), "asked");
  RankExit finished = Code(0);
  finished.stopped = true;
  EXPECT_EQ(EndClass(finished), "done");
}

TEST(RankExitTest, OnlyItsOwnCodeIsADeviceFault) {
  EXPECT_TRUE(IsDeviceFault(Code(10)));
  EXPECT_FALSE(IsDeviceFault(Code(9)));
  EXPECT_FALSE(IsDeviceFault(Signal(10)));
}

TEST(RankExitTest, WordsNameCodeOrSignal) {
  EXPECT_EQ(ExitWords(Code(3)), "exit code 3 (config or data invalid)");
  EXPECT_THAT(ExitWords(Signal(SIGSEGV)), ::testing::HasSubstr("signal 11"));
  RankExit stuck = Signal(SIGKILL);
  stuck.gone = false;
  EXPECT_THAT(ExitWords(stuck), ::testing::HasSubstr("survive SIGKILL"));
}

}  // namespace
}  // namespace fpo::worker
