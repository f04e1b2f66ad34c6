#include "coordinator/core/scheduling/explain_job.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

WorkerView ViewOf(const std::string& worker, int32_t slots, int32_t used) {
  WorkerView view;
  view.hello = HelloOf(worker, slots);
  view.connected = true;
  view.slots_used = used;
  return view;
}

TEST(ExplainJob, AWaitingJobNamesWorkersAndWhoIsAhead) {
  Job job = MakeJob("j-2");
  job.waits_for = Standing::kWaitingForSlots;
  job.reason = "needs 1, 0 free";
  ExplainSnapshot snapshot;
  snapshot.workers = {ViewOf("w1", 2, 2), ViewOf("w2", 4, 0)};
  snapshot.workers[0].jobs = {"j-1"};
  snapshot.workers[1].mode = {WorkerMode::Kind::kCordoned, "new disk"};
  snapshot.ahead = {std::make_shared<const Job>(MakeJob("j-1"))};
  const Explanation e = ExplainJob(job, snapshot);
  EXPECT_EQ(e.standing, Standing::kWaitingForSlots);
  EXPECT_EQ(e.text, job.reason);
  EXPECT_THAT(e.details, Contains("worker w1: 0 of 2 slots free; runs j-1"));
  EXPECT_THAT(e.details, Contains("worker w2: 4 of 4 slots free, cordoned (new disk)"));
  EXPECT_THAT(e.details, Contains("1 ahead in the queue: j-1"));
  EXPECT_EQ(e.next, "fpoctl queue");
  job.workers_away = true;
  EXPECT_EQ(ExplainJob(job, snapshot).next, "fpoctl workers list");
}

TEST(ExplainJob, ExcludedWorkersAndDependenciesAreSaid) {
  Job job = MakeJob("j-2");
  job.host_faults["w1"] = 2;
  ExplainSnapshot snapshot;
  snapshot.workers = {ViewOf("w1", 2, 0)};
  snapshot.dependencies = {std::make_shared<const Job>(RunningJob("j-1"))};
  const Explanation e = ExplainJob(job, snapshot);
  EXPECT_THAT(e.details, Contains(HasSubstr("avoided: it failed this job 2 times in a row")));
  EXPECT_THAT(e.details, Contains("depends on j-1 (job-j-1): RUNNING"));
}

TEST(ExplainJob, ARunningJobSaysWhatItDoesAndHowOthersEnded) {
  Job job = RunningJob("j-1");
  job.progress.phase = Phase::kTrain;
  job.progress.done = 5;
  job.progress.total = 9;
  job.progress.unit = "steps";
  job.progress.updated = kStart - absl::Seconds(61);
  const Explanation e = ExplainJob(job, {.now = kStart});
  EXPECT_EQ(e.standing, Standing::kRunning);
  EXPECT_EQ(e.text, "running: train, 5 of 9 steps");
  EXPECT_THAT(e.details, Contains("attempt 1 on w1, 1 slot"));
  EXPECT_THAT(e.details, Contains("last progress 1m1s ago"));
  job.progress.activity = "step 6: 1 of 4 micro-batches, forward: 7 of 18 layers";
  job.progress.updated = kStart;
  const Explanation slow = ExplainJob(job, {.now = kStart});
  EXPECT_EQ(slow.text,
            "running: train, 5 of 9 steps; step 6: 1 of 4 micro-batches, forward: 7 of 18 layers");
  EXPECT_THAT(slow.details, Contains("last progress just now"));
  job.progress.activity.clear();
  job.progress.phase = Phase::kReference;
  job.progress.unit = "responses";
  EXPECT_EQ(ExplainJob(job, {.now = kStart}).standing, Standing::kRecords);
  EXPECT_EQ(ExplainJob(job, {.now = kStart}).text, "records: 5 of 9 present");
  job.progress.unit = "bytes";
  job.progress.total = 5 << 20;
  job.progress.done = 1 << 20;
  job.progress.activity = "loading /m";
  EXPECT_EQ(ExplainJob(job, {.now = kStart}).text,
            "running: reference, 1.0 of 5.0 MiB; loading /m");
}

// Texts are for people: whatever they say, what a program reads of a job is its state's.
TEST(ExplainJob, NothingIsReadFromTheText) {
  Job job = MakeJob("j-1");
  job.reason = "quota: none; lost: w1";
  EXPECT_EQ(ExplainJob(job, {}).standing, Standing::kQueued);
  EXPECT_EQ(ExplainJob(job, {}).next, "");
  job.waits_for = Standing::kWaitingForSlots;
  EXPECT_EQ(ExplainJob(job, {}).next, "fpoctl queue");
}

TEST(ExplainJob, EveryStateHasAWordAndStoppedOnesACommand) {
  const Job held = After(MakeJob("j-1"), {HoldRequest{}});
  EXPECT_EQ(ExplainJob(held, {}).standing, Standing::kHeld);
  EXPECT_EQ(ExplainJob(held, {}).next, "fpoctl release j-1");
  Job failed = RunningJob("j-1");
  failed =
      After(failed, {ReportOf(failed, "w1", ReportStatus::kFailed, EndClass::kInvalid, "no file")});
  const Explanation e = ExplainJob(failed, {});
  EXPECT_EQ(e.standing, Standing::kFailed);
  EXPECT_EQ(e.next, "fpoctl retry j-1");
  EXPECT_THAT(e.details, Contains("attempt 1 ended at step 0: invalid: no file"));
}

TEST(ExplainJob, OfAnEndedJobItSaysHowLongItTook) {
  Job job = RunningJob("j-1");
  job.state = JobState::kSucceeded;
  job.reason.clear();
  job.started = kStart;
  job.ended = kStart + absl::Seconds(133);
  const Explanation e = ExplainJob(job, {});
  EXPECT_EQ(e.standing, Standing::kSucceeded);
  EXPECT_EQ(e.text, "after 2m13s in 1 attempt");
  EXPECT_EQ(e.next, "fpoctl download j-1");
  job.state = JobState::kCancelled;
  job.started.reset();
  EXPECT_EQ(ExplainJob(job, {}).text, "before it started");
  EXPECT_EQ(ExplainJob(job, {}).next, "fpoctl retry j-1");
}

TEST(ExplainJob, TheCommandOfALowerPriorityCanBeRun) {
  Job job = MakeJob("j-2");
  job.waits_for = Standing::kLowerPriority;
  EXPECT_EQ(ExplainJob(job, {}).next, "fpoctl priority j-2 600");
  job.demand.priority = 1000;
  EXPECT_EQ(ExplainJob(job, {}).next, "fpoctl queue") << "there is no higher one";
}

}  // namespace
}  // namespace fpo::coordinator
