#include "tests/chaos/transition_check.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace fpo::testing {
namespace {

std::string Line(const std::string& message, int epoch = 1) {
  return absl::StrCat(R"({"level":"info","message":")", message, R"(","job":"j","epoch":")", epoch,
                      "\"}\n");
}

const char kStart[] = "{\"message\":\"listening\"}\n";

TEST(TransitionCheck, AnOrdinaryLifeIsLegal) {
  int changes = 0;
  EXPECT_TRUE(CheckTransitions(kStart + Line("QUEUED -> RESERVED") + Line("RESERVED -> STARTING") +
                                   Line("STARTING -> RUNNING") + Line("RUNNING -> RECOVERING", 2) +
                                   Line("RECOVERING -> QUEUED", 2) + Line("QUEUED -> RESERVED", 3) +
                                   Line("RESERVED -> RUNNING", 3) + Line("RUNNING -> SUCCEEDED", 3),
                               &changes)
                  .empty());
  EXPECT_EQ(changes, 8);
}

TEST(TransitionCheck, ATerminalStateIsFinal) {
  EXPECT_FALSE(CheckTransitions(kStart + Line("SUCCEEDED -> QUEUED")).empty());
  EXPECT_FALSE(
      CheckTransitions(kStart + Line("RUNNING -> FAILED") + Line("QUEUED -> RESERVED")).empty());
  EXPECT_FALSE(
      CheckTransitions(kStart + Line("RUNNING -> FAILED") + kStart + Line("QUEUED -> RESERVED"))
          .empty())
      << "not by a restart either";
}

TEST(TransitionCheck, AJumpNeedsARestartBetween) {
  EXPECT_FALSE(
      CheckTransitions(kStart + Line("QUEUED -> RESERVED") + Line("RUNNING -> SUCCEEDED")).empty());
  EXPECT_TRUE(
      CheckTransitions(kStart + Line("QUEUED -> RESERVED") + kStart + Line("RUNNING -> SUCCEEDED"))
          .empty());
}

TEST(TransitionCheck, AnEpochNeverGoesBack) {
  EXPECT_FALSE(
      CheckTransitions(kStart + Line("QUEUED -> RESERVED", 5) + Line("RESERVED -> RUNNING", 4))
          .empty());
}

}  // namespace
}  // namespace fpo::testing
