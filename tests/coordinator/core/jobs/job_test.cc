#include "coordinator/core/jobs/job.h"

#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

TEST(JobState, NamesReadBack) {
  for (size_t i = 0; i < kEnumSize<JobState>; ++i) {
    const JobState state = static_cast<JobState>(i);
    EXPECT_EQ(FromName<JobState>(Name(state)), state);
  }
  EXPECT_EQ(Name(JobState::kQueued), "QUEUED");
  EXPECT_EQ(Name(JobState::kCancelled), "CANCELLED");
  EXPECT_EQ(FromName<JobState>("ASLEEP"), std::nullopt);
}

TEST(JobState, EachIsWaitingWorkingOrTerminal) {
  EXPECT_FALSE(HasAttempt(JobState::kQueued));
  EXPECT_FALSE(IsTerminal(JobState::kQueued));
  for (JobState state : {JobState::kHeld, JobState::kPaused}) {
    EXPECT_FALSE(HasAttempt(state));
    EXPECT_FALSE(IsTerminal(state));
  }
  for (JobState state :
       {JobState::kReserved, JobState::kStarting, JobState::kRunning, JobState::kRecovering,
        JobState::kCancelling, JobState::kPausing, JobState::kPreempting}) {
    EXPECT_TRUE(HasAttempt(state));
    EXPECT_LE(IsActive(state) + IsStopping(state), 1);
    EXPECT_FALSE(IsTerminal(state));
  }
  for (JobState state : {JobState::kSucceeded, JobState::kFailed, JobState::kCancelled}) {
    EXPECT_FALSE(HasAttempt(state));
    EXPECT_TRUE(IsTerminal(state));
  }
}

TEST(AttemptRefs, OnlyTheNewestUnfencedAttemptIsCurrent) {
  Job job = RunningJob("j-1");
  const AttemptRef ref = LastAttemptRef(job);
  EXPECT_TRUE(IsCurrent(job, ref));
  EXPECT_FALSE(IsCurrent(job, {ref.job_id, ref.attempt, ref.epoch + 1}));
  EXPECT_FALSE(IsCurrent(job, {ref.job_id, ref.attempt + 1, ref.epoch}));
  ++job.epoch;
  EXPECT_FALSE(IsCurrent(job, ref));
  EXPECT_FALSE(IsCurrent(MakeJob("j-2"), {"j-2", 0, 0}));
}

TEST(Attempt, EndsWhenEveryMemberEnded) {
  Attempt attempt;
  attempt.members = {MemberOn("w1"), MemberOn("w2")};
  attempt.Find("w1")->state = MemberState::kGone;
  EXPECT_FALSE(attempt.AllEnded());
  attempt.Find("w2")->state = MemberState::kSucceeded;
  EXPECT_TRUE(attempt.AllEnded());
  EXPECT_EQ(attempt.Find("w3"), nullptr);
}

TEST(CacheUseOf, WorkersThatFillOneManifestAddUp) {
  std::vector<Member> members = {MemberOn("w1"), MemberOn("w2"), MemberOn("w3")};
  members[0].cache = {100, 30, 40, "m", "r", 5};       // asked when w2 had stored 20 already
  members[1].cache = {100, 10, 50, "m", "r", 7, 2.5};  // asked first
  EXPECT_EQ(CacheUseOf(members), (CacheUse{100, 10, 90, "m", "r", 7, 2.5}));
}

TEST(CacheUseOf, ARestartedJobStillSaysWhatItComputed) {
  std::vector<Attempt> attempts(4);
  attempts[1].cache = {100, 10, 90, "m", "r", 5};
  attempts[2].cache = {100, 100, 0, "m", "r", 0};
  const CacheUse use = CacheUseOf(attempts);
  EXPECT_EQ(use, (CacheUse{100, 10, 90, "m", "r", 5}));
  attempts[3].cache = {100, 99, 1, "m", "r", 1};  // one was quarantined meanwhile
  EXPECT_EQ(CacheUseOf(attempts).records_computed, 91);
  EXPECT_EQ(CacheUseOf(std::vector<Attempt>()), CacheUse{});
}

}  // namespace
}  // namespace fpo::coordinator
