#include "coordinator/core/jobs/dependencies.h"

#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/support/memory_job_store.h"

namespace fpo::coordinator {
namespace {

using Kind = DependencyState::Kind;

class DependenciesTest : public ::testing::Test {
 protected:
  std::string Add(const std::string& request) {
    SubmittedRequest submitted;
    submitted.request_id = request;
    const auto created = jobs_.Create(MakeJob(""), submitted, kStart);
    EXPECT_TRUE(created.ok() && *created);
    return (*created)->job_id;
  }
  void Cancel(const std::string& id) {
    ASSERT_TRUE(jobs_.ApplyEvent(id, CancelRequest{absl::ZeroDuration()}, kStart).ok());
  }

  MemoryJobStore store_;
  JobTable jobs_{&store_};
  Job job_ = MakeJob("j-x");
};

TEST_F(DependenciesTest, WithoutAnyOrWithUnknownOnesAreMet) {
  EXPECT_EQ(DependenciesOf(job_, FindIn(jobs_)).kind, Kind::kMet);
  job_.after_ok = {"j-forgotten"};
  EXPECT_EQ(DependenciesOf(job_, FindIn(jobs_)).kind, Kind::kMet);
}

TEST_F(DependenciesTest, OneThatEndedBadlyCountsBeforeOneThatRuns) {
  const std::string waits = Add("a");
  const std::string ended = Add("b");
  job_.after_ok = {waits, ended};
  EXPECT_EQ(DependenciesOf(job_, FindIn(jobs_)).kind, Kind::kWaiting);
  EXPECT_EQ(DependenciesOf(job_, FindIn(jobs_)).why, "dependency: job " + waits + " is QUEUED");
  Cancel(ended);
  EXPECT_EQ(DependenciesOf(job_, FindIn(jobs_)).kind, Kind::kImpossible);
  EXPECT_EQ(DependenciesOf(job_, FindIn(jobs_))
                .why.rfind("dependency: job " + ended + " is CANCELLED", 0),
            0u);
}

TEST_F(DependenciesTest, AnEndOfAnyKindMeetsAnEndDependency) {
  const std::string other = Add("a");
  job_.after_end = {other};
  EXPECT_EQ(DependenciesOf(job_, FindIn(jobs_)).kind, Kind::kWaiting);
  EXPECT_EQ(DependenciesOf(job_, FindIn(jobs_)).why,
            "dependency: waits for the end of job " + other + ", which is QUEUED");
  Cancel(other);
  EXPECT_EQ(DependenciesOf(job_, FindIn(jobs_)).kind, Kind::kMet);
  job_.after_ok = {other};
  EXPECT_EQ(DependenciesOf(job_, FindIn(jobs_)).kind, Kind::kImpossible);
}

TEST_F(DependenciesTest, AJobThatWaitsForAnotherIsNotAhead) {
  const std::string first = Add("a");
  Job job = MakeJob("");
  job.after_ok = {first};
  SubmittedRequest request;
  request.request_id = "b";
  ASSERT_TRUE(jobs_.Create(job, request, kStart).ok());
  const std::string last = Add("c");
  const std::vector<JobPtr> ahead = ReadyBefore(*jobs_.Get(last), jobs_);
  ASSERT_EQ(ahead.size(), 1u);
  EXPECT_EQ(ahead[0]->job_id, first);
  EXPECT_TRUE(ReadyBefore(*jobs_.Get(first), jobs_).empty());
}

TEST_F(DependenciesTest, SettlesQueuedAndHeldJobs) {
  const std::string first = Add("a");
  Job waits = *jobs_.Get(Add("b"));
  waits.after_ok = {first};
  Job held = *jobs_.Get(Add("c"));
  held.after_ok = {first};
  held.state = JobState::kHeld;
  ASSERT_TRUE(jobs_.Put(waits).ok());
  ASSERT_TRUE(jobs_.Put(held).ok());
  const std::vector<const Job*> ready = WithDependenciesMet(jobs_.Queued(), kStart, &jobs_);
  ASSERT_EQ(ready.size(), 1u);
  EXPECT_EQ(ready[0]->job_id, first);
  EXPECT_EQ(jobs_.Get(waits.job_id)->reason, "dependency: job " + first + " is QUEUED");
  FailHopelessHeldJobs(kStart, &jobs_);
  EXPECT_EQ(jobs_.Get(held.job_id)->state, JobState::kHeld);
  Cancel(first);
  FailHopelessHeldJobs(kStart, &jobs_);
  EXPECT_EQ(jobs_.Get(held.job_id)->state, JobState::kFailed);
  EXPECT_TRUE(WithDependenciesMet(jobs_.Queued(), kStart, &jobs_).empty());
  EXPECT_EQ(jobs_.Get(waits.job_id)->state, JobState::kFailed);
}

}  // namespace
}  // namespace fpo::coordinator
