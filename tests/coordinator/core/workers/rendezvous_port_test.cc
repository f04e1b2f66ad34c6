#include "coordinator/core/workers/rendezvous_port.h"

#include <memory>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace fpo::coordinator {
namespace {

JobPtr MeetingAt(int32_t port) {
  auto job = std::make_shared<Job>();
  job->attempts.emplace_back().rendezvous_port = port;
  return job;
}

TEST(RendezvousPortTest, NoLiveAttemptHasIt) {
  Job job;
  job.job_id = "job-1";
  job.epoch = 1;
  std::vector<JobPtr> live;
  std::set<int32_t> seen;
  for (int i = 0; i < 2000; ++i) {
    const int32_t port = FreeRendezvousPort(job, live).value();
    ASSERT_TRUE(seen.insert(port).second) << port << " twice";
    live.push_back(MeetingAt(port));
  }
  EXPECT_EQ(*seen.begin(), 29500);
  EXPECT_EQ(*seen.rbegin(), 31499);
  EXPECT_TRUE(absl::IsResourceExhausted(FreeRendezvousPort(job, live).status()));
}

TEST(RendezvousPortTest, TheNextAttemptOfAJobMeetsElsewhere) {
  Job job;
  job.job_id = "job-1";
  job.epoch = 1;
  const int32_t first = FreeRendezvousPort(job, {}).value();
  job.epoch = 2;
  EXPECT_NE(FreeRendezvousPort(job, {}).value(), first);
}

}  // namespace
}  // namespace fpo::coordinator
