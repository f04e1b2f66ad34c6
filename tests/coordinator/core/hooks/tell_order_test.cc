#include "coordinator/core/hooks/tell_order.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

Job At(const std::string& id, JobState state, uint64_t revision) {
  Job job = MakeJob(id);
  job.state = state;
  job.revision = revision;
  return job;
}

TEST(TellOrderTest, JobsThatEndedOrAreHeldByWhenTheyCameToIt) {
  TellOrder order;
  order.Note(At("a", JobState::kRunning, 1));
  order.Note(At("b", JobState::kHeld, 2));
  order.Note(At("c", JobState::kCancelled, 3));
  order.Note(At("a", JobState::kSucceeded, 4));
  EXPECT_THAT(order.After(0, 9), ElementsAre(Pair(2, "b"), Pair(3, "c"), Pair(4, "a")));
  EXPECT_THAT(order.After(2, 9), ElementsAre(Pair(3, "c"), Pair(4, "a")));
  EXPECT_THAT(order.After(0, 1), ElementsAre(Pair(2, "b")));
  EXPECT_THAT(order.After(4, 9), IsEmpty());
}

TEST(TellOrderTest, ALaterChangeIsNoNewsUnlessTheStateIsAnother) {
  TellOrder order;
  order.Note(At("a", JobState::kHeld, 1));
  order.Note(At("a", JobState::kHeld, 2));  // its priority changed
  EXPECT_THAT(order.After(0, 9), ElementsAre(Pair(1, "a")));
  order.Note(At("a", JobState::kQueued, 3));
  EXPECT_THAT(order.After(0, 9), IsEmpty());
  order.Note(At("a", JobState::kHeld, 4));
  order.Note(At("a", JobState::kFailed, 5));
  EXPECT_THAT(order.After(0, 9), ElementsAre(Pair(5, "a")));
  order.Forget("a");
  order.Forget("never");
  EXPECT_THAT(order.After(0, 9), IsEmpty());
}

}  // namespace
}  // namespace fpo::coordinator
