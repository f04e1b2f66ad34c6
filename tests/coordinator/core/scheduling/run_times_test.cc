#include "coordinator/core/scheduling/run_times.h"

#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

Job Took(absl::Duration time, const std::string& data_key = "") {
  Job job = MakeJob("j-1");
  job.kind = JobKind::kTrain;
  job.demand.data_key = data_key;
  job.started = kStart;
  job.ended = kStart + time;
  return job;
}

TEST(RunTimes, TheMedianOfTheLastFewOfTheSameKind) {
  RunTimes times;
  EXPECT_EQ(times.Usual(Took(absl::Minutes(1))), std::nullopt);
  for (int minutes : {100, 1, 2, 3, 4, 90}) times.Note(Took(absl::Minutes(minutes)));
  EXPECT_EQ(times.Usual(Took(absl::ZeroDuration())), absl::Minutes(3)) << "the first is forgotten";
}

TEST(RunTimes, AJobThatTrainedNothingTeachesNothing) {
  RunTimes times;
  Job job = Took(absl::Seconds(2));
  job.reason = "nothing was trained";
  times.Note(job);
  EXPECT_EQ(times.Usual(job), std::nullopt);
}

TEST(RunTimes, JobsOnTheSameDataCountMore) {
  RunTimes times;
  times.Note(Took(absl::Minutes(5), "big"));
  times.Note(Took(absl::Minutes(1), "small"));
  EXPECT_EQ(times.Usual(Took(absl::ZeroDuration(), "big")), absl::Minutes(5));
  EXPECT_NE(times.Usual(Took(absl::ZeroDuration(), "new")), std::nullopt);
}

TEST(RunTimes, ARunningJobIsJudgedByItsPaceFirst) {
  Job job = RunningJob("j-1");
  EXPECT_EQ(EndEstimate(job, std::nullopt, kStart), std::nullopt);
  EXPECT_EQ(EndEstimate(job, absl::Minutes(7), kStart), kStart + absl::Minutes(7));
  EXPECT_EQ(EndEstimate(job, absl::Minutes(7), kStart + absl::Hours(1)), kStart + absl::Hours(1));
  job.progress.phase = Phase::kTrain;
  job.progress.step = 4;
  job.progress.total_steps = 10;
  job.progress.metrics["step_seconds"] = 0.5;
  EXPECT_EQ(EndEstimate(job, absl::Minutes(7), kStart), kStart + absl::Seconds(3));
}

}  // namespace
}  // namespace fpo::coordinator
