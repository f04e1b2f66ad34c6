#include "train/join_ranks.h"

#include <gtest/gtest.h>

#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

TEST(JoinRanks, OneProcessIsAGroup) {
  const auto group = JoinRanks(Flags(), at::kCPU);
  ASSERT_TRUE(group.ok()) << group.status();
  EXPECT_EQ((*group)->world(), 1);
}

TEST(JoinRanks, TheMeetingPlaceIsAHostAndAPort) {
  for (const char* place : {"host", ":7", "host:", "host:port"}) {
    Flags flags;
    flags.world_size = 2;
    flags.rendezvous = place;
    EXPECT_EQ(ExitCodeOf(JoinRanks(flags, at::kCPU).status()), ExitCode::kUsage) << place;
  }
}

}  // namespace
}  // namespace fpo::train
