#include "coordinator/core/jobs/restart_rules.h"

#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

TEST(Backoff, DoublesToFiveMinutes) {
  EXPECT_EQ(RecoveryBackoff(0), absl::Seconds(1));
  EXPECT_EQ(RecoveryBackoff(1), absl::Seconds(5));
  EXPECT_EQ(RecoveryBackoff(3), absl::Seconds(20));
  EXPECT_EQ(RecoveryBackoff(1000), absl::Minutes(5));
  EXPECT_EQ(RefusalBackoff(0), absl::Seconds(5));
  EXPECT_EQ(RefusalBackoff(2), absl::Seconds(20));
  EXPECT_EQ(RefusalBackoff(1000), absl::Minutes(5));
}

Job Ended(std::optional<EndClass> end_class, int64_t step) {
  Job job = RunningJob("j-1");
  job.progress.step = step;
  return After(job, {ReportOf(job, "w1", ReportStatus::kFailed, end_class, "boom")});
}

TEST(RestartRules, OnlyTheJobsOwnFailuresCount) {
  EXPECT_TRUE(IsCounted(Ended(EndClass::kProgram, 1).attempts.back()));
  EXPECT_FALSE(IsCounted(Ended(EndClass::kInfrastructure, 1).attempts.back()));
}

TEST(RestartRules, TheSameEndAtTheSameStepIsSaid) {
  Job job = Ended(EndClass::kProgram, 40);
  EXPECT_EQ(DescribeEnd(job), "program: boom");
  job = After(job, {ResolveStopped{}, Reserve{{MemberOn("w1")}}});
  job = After(job, {ReportOf(job, "w1", ReportStatus::kFailed, EndClass::kProgram, "boom")});
  EXPECT_EQ(DescribeEnd(job), "program: boom (at step 40, as attempt 1 before it)");
}

TEST(RestartRules, AFailedPreflightExcludesAtOnceAndFaultsAddUp) {
  Job job = MakeJob("j-1");
  RecordHostFault("w1", /*in_preflight=*/false, &job);
  EXPECT_FALSE(IsExcluded(job, "w1"));
  RecordHostFault("w1", /*in_preflight=*/false, &job);
  EXPECT_TRUE(IsExcluded(job, "w1"));
  EXPECT_EQ(DescribeFaults(job, "w1"), "it failed this job 2 times in a row");
  RecordHostFault("w2", /*in_preflight=*/true, &job);
  EXPECT_TRUE(IsExcluded(job, "w2"));
  EXPECT_EQ(job.host_faults.at("w2"), 1) << "counts are true";
  EXPECT_EQ(DescribeFaults(job, "w2"), "its preflight for this job failed");
  ClearHostFaults("w2", &job);
  EXPECT_FALSE(IsExcluded(job, "w2"));
}

TEST(RestartRules, FatalEndsSayWhy) {
  EXPECT_EQ(FatalReason(Ended(EndClass::kInvalid, 0)), "invalid: boom");
  EXPECT_EQ(FatalReason(Ended(EndClass::kMemory, 0)), "memory: boom (retry.on_oom is fail)");
  EXPECT_EQ(FatalReason(Ended(EndClass::kInfrastructure, 0)), std::nullopt);
}

}  // namespace
}  // namespace fpo::coordinator
