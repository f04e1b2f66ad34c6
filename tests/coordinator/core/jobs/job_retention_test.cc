#include "coordinator/core/jobs/job_retention.h"

#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/support/memory_job_store.h"

namespace fpo::coordinator {
namespace {

class JobRetentionTest : public ::testing::Test {
 protected:
  // A job that ended so long before kStart.
  std::string Ended(absl::Duration ago) {
    const std::string id = Add();
    EXPECT_TRUE(jobs_.ApplyEvent(id, CancelRequest{absl::ZeroDuration()}, kStart - ago).ok());
    return id;
  }
  std::string Add() {
    SubmittedRequest request;
    request.request_id = std::to_string(++requests_);
    Job job = MakeJob("");
    job.name = "n" + request.request_id;
    return jobs_.Create(job, request, kStart).value()->job_id;
  }
  std::vector<std::string> Chosen(size_t limit = 100) {
    return JobsToRemove(jobs_, absl::Hours(24), kStart, limit);
  }

  MemoryJobStore store_;
  JobTable jobs_{&store_};
  int requests_ = 0;
};

TEST_F(JobRetentionTest, TheOldestThatEndedGoFirst) {
  const std::string newer = Ended(absl::Hours(30));
  const std::string oldest = Ended(absl::Hours(50));
  Ended(absl::Hours(2));
  Add();
  EXPECT_EQ(Chosen(), (std::vector<std::string>{oldest, newer}));
  EXPECT_EQ(Chosen(1), std::vector<std::string>{oldest});
  EXPECT_TRUE(JobsToRemove(jobs_, absl::ZeroDuration(), kStart, 100).empty()) << "zero: never";
}

TEST_F(JobRetentionTest, WhatAnotherJobWaitsForStays) {
  const std::string wanted = Ended(absl::Hours(50));
  Job waits = *jobs_.Get(Add());
  waits.after_end = {wanted};
  ASSERT_TRUE(jobs_.Put(waits).ok());
  EXPECT_TRUE(Chosen().empty());
}

TEST_F(JobRetentionTest, ARemovedJobIsKnownByNothing) {
  const std::string id = Ended(absl::Hours(50));
  const std::string name = jobs_.Get(id)->name;
  ASSERT_TRUE(jobs_.Remove(id).ok());
  EXPECT_FALSE(jobs_.Find(name).ok());
  EXPECT_FALSE(jobs_.Find(id).ok());
  EXPECT_TRUE(jobs_.List({}).jobs.empty());
  EXPECT_EQ(jobs_.counts()[static_cast<size_t>(JobState::kCancelled)], 0);
  EXPECT_TRUE(store_.LoadJobs().value().empty());
  ASSERT_TRUE(jobs_.Remove(id).ok());
}

}  // namespace
}  // namespace fpo::coordinator
