#include "train/events/stop_signal.h"

#include <gtest/gtest.h>

#include <csignal>

namespace fpo::train {
namespace {

TEST(StopSignal, SigtermAsksInsteadOfEnding) {
  InstallStopSignals();
  ClearStopRequest();
  EXPECT_FALSE(StopRequested());
  raise(SIGTERM);
  EXPECT_TRUE(StopRequested());
  ClearStopRequest();
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
}

}  // namespace
}  // namespace fpo::train
