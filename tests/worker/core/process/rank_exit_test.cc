#include "worker/core/process/rank_exit.h"

#include <signal.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo::worker {
namespace {

RankExit Code(int code) { return {.code = code}; }
RankExit Signal(int signal) { return {.signal = signal}; }

TEST(RankExitTest, EveryExitCodeHasItsClass) {
  const std::pair<int, EndClass> rows[] = {{0, EndClass::kDone},
                                           {1, EndClass::kProgram},
                                           {2, EndClass::kInfrastructure},
                                           {3, EndClass::kInvalid},
                                           {4, EndClass::kInvalid},
                                           {5, EndClass::kMemory},
                                           {6, EndClass::kInfrastructure},
                                           {7, EndClass::kInfrastructure},
                                           {8, EndClass::kProgram},
                                           {9, EndClass::kInfrastructure},
                                           {10, EndClass::kInfrastructure},
                                           {11, EndClass::kInvalid},
                                           {93, EndClass::kProgram},
                                           {42, EndClass::kProgram}};
  for (const auto& [code, end_class] : rows) EXPECT_EQ(EndClassOf(Code(code)), end_class) << code;
}

TEST(RankExitTest, NumbersThatAreNotFiniteAreKnown) {
  EXPECT_TRUE(IsNotFinite(Code(8)));
  EXPECT_FALSE(IsNotFinite(Code(1)));
  EXPECT_FALSE(IsNotFinite({.code = 8, .signal = SIGFPE}));
}

TEST(RankExitTest, SignalsOfItsOwnMakingAreTheProgramsFault) {
  for (int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL}) {
    EXPECT_EQ(EndClassOf(Signal(signal)), EndClass::kProgram) << signal;
  }
  EXPECT_EQ(EndClassOf(Signal(SIGKILL)), EndClass::kInfrastructure);
  EXPECT_EQ(EndClassOf(Signal(SIGTERM)), EndClass::kInfrastructure);
  RankExit starved = Signal(SIGKILL);
  starved.out_of_memory = true;
  EXPECT_EQ(EndClassOf(starved), EndClass::kMemory);
  starved.peak_bytes = int64_t{5} << 30;
  EXPECT_THAT(DescribeExit(starved), ::testing::HasSubstr("for lack of memory, peak 5120 MiB"));
  RankExit gave_up = Code(1);
  gave_up.out_of_memory = true;
  EXPECT_EQ(EndClassOf(gave_up), EndClass::kMemory) << "a process it started was killed";
}

TEST(RankExitTest, WhatTheAgentStoppedWasAskedFor) {
  RankExit stopped = Signal(SIGKILL);
  stopped.stopped = true;
  EXPECT_EQ(EndClassOf(stopped), EndClass::kAsked);
  RankExit checkpoint = Code(7);
  checkpoint.stopped = true;
  EXPECT_EQ(EndClassOf(checkpoint), EndClass::kAsked);
  RankExit finished = Code(0);
  finished.stopped = true;
  EXPECT_EQ(EndClassOf(finished), EndClass::kDone);
}

TEST(RankExitTest, OnlyItsOwnCodeIsADeviceFault) {
  EXPECT_TRUE(IsDeviceFault(Code(10)));
  EXPECT_FALSE(IsDeviceFault(Code(9)));
  EXPECT_FALSE(IsDeviceFault(Signal(10)));
}

TEST(RankExitTest, WordsNameCodeOrSignal) {
  EXPECT_EQ(DescribeExit(Code(3)), "exit code 3 (config or data invalid)");
  EXPECT_THAT(DescribeExit(Signal(SIGSEGV)), ::testing::HasSubstr("signal 11"));
  RankExit stuck = Signal(SIGKILL);
  stuck.gone = false;
  EXPECT_THAT(DescribeExit(stuck), ::testing::HasSubstr("survive SIGKILL"));
}

}  // namespace
}  // namespace fpo::worker
