#include "coordinator/core/scheduling/job_queue.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

using ::testing::ElementsAre;

TEST(JobQueue, OrdersByPriorityThenAge) {
  JobQueue queue;
  queue.Add(MakeJob("j-new", 1, 500));
  queue.Add(MakeJob("j-old", 1, 500, absl::Hours(1)));
  queue.Add(MakeJob("j-high", 1, 900));
  queue.Add(MakeJob("j-low", 1, 1, absl::Hours(9)));
  EXPECT_THAT(queue.InOrder(), ElementsAre("j-high", "j-old", "j-new", "j-low"));
}

TEST(JobQueue, EqualAgesKeepTheOrderOfIds) {
  JobQueue queue;
  queue.Add(MakeJob("j-b"));
  queue.Add(MakeJob("j-a"));
  EXPECT_THAT(queue.InOrder(), ElementsAre("j-a", "j-b"));
}

TEST(JobQueue, AddingAgainMovesAndRemovingForgets) {
  JobQueue queue;
  queue.Add(MakeJob("j-a"));
  queue.Add(MakeJob("j-b"));
  queue.Add(MakeJob("j-b", 1, 900));
  EXPECT_THAT(queue.InOrder(), ElementsAre("j-b", "j-a"));
  queue.Remove("j-b");
  queue.Remove("j-never");
  EXPECT_THAT(queue.InOrder(), ElementsAre("j-a"));
  EXPECT_EQ(queue.size(), 1u);
}

}  // namespace
}  // namespace fpo::coordinator
