#include "coordinator/core/jobs/job_id.h"

#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

TEST(JobId, IsShortAndSortsByAge) {
  JobIdSource ids;
  std::string last = ids.Next(kStart);
  EXPECT_EQ(last.size(), 10u);
  EXPECT_EQ(last.substr(0, 2), "j-");
  for (int i = 0; i < 1000; ++i) {
    const std::string next = ids.Next(kStart + i * absl::Milliseconds(i % 3));
    EXPECT_LT(last, next);
    last = next;
  }
}

TEST(JobId, GrowsAcrossARestartAlsoWhenTheClockWentBack) {
  JobIdSource before;
  const std::string old = before.Next(kStart);
  JobIdSource after;
  after.Saw(old);
  EXPECT_GT(after.Next(kStart - absl::Hours(5)), old);
  EXPECT_GT(JobIdSource().Next(absl::FromUnixSeconds(0)), "j-");
}

TEST(JobId, ForeignIdsAreIgnored) {
  JobIdSource ids;
  ids.Saw("something-else");
  ids.Saw("j-!!!!!!!!");
  EXPECT_EQ(ids.Next(kStart), JobIdSource().Next(kStart));
}

}  // namespace
}  // namespace fpo::coordinator
