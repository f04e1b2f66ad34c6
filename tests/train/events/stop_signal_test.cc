#include "train/events/stop_signal.h"

#include <gtest/gtest.h>

#include <csignal>

namespace fpo::train {
namespace {

TEST(StopSignal, ASignalAsksInsteadOfEnding) {
  for (const int number : {SIGTERM, SIGUSR1}) {
    InstallStopSignals();
    ClearStopRequest();
    EXPECT_FALSE(StopRequested());
    raise(number);
    EXPECT_TRUE(StopRequested()) << number;
  }
  ClearStopRequest();
  std::signal(SIGUSR1, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
}

}  // namespace
}  // namespace fpo::train
