#include "coordinator/core/scheduling/explain.h"

#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

TEST(Explain, SlotsSayHowManyAreNeededAndFree) {
  EXPECT_EQ(ExplainNoPlace(MakeJob("j-1", 2), {Offer("w1", 2, 1), Offer("w2", 1, 0)}).text,
            "waiting-for-slots: needs 2, 1 free");
  SlotOffer lost = Offer("w3", 4, 4);
  lost.connected = false;
  EXPECT_EQ(ExplainNoPlace(MakeJob("j-1", 4), {lost}).text,
            "waiting-for-slots: needs 4, 0 free; lost: w3");
}

TEST(Explain, ProgramsSeeWhatAPlaceIsMissingFor) {
  const WaitReason full = ExplainNoPlace(MakeJob("j-1"), {Offer("w1", 1, 0)});
  EXPECT_EQ(full.standing, Standing::kWaitingForSlots);
  EXPECT_FALSE(full.workers_away);
  SlotOffer lost = Offer("w2", 1, 1);
  lost.connected = false;
  EXPECT_TRUE(ExplainNoPlace(MakeJob("j-1"), {lost}).workers_away);
  EXPECT_EQ(ExplainNoPlace(MakeJob("j-1"), {}).standing, Standing::kNoWorkerFits);
  EXPECT_EQ(ExplainBehind(1).standing, Standing::kLowerPriority);
}

TEST(Explain, WorkersThatAreAvoidedLostOrClosedAreNamed) {
  Job job = MakeJob("j-1");
  job.host_faults["w1"] = 2;
  SlotOffer lost = Offer("w2", 1, 1);
  lost.connected = false;
  SlotOffer closed = Offer("w3", 1, 1);
  closed.open = false;
  EXPECT_EQ(
      ExplainNoPlace(job, {Offer("w1", 1, 1), lost, closed}).text,
      "waiting-for-slots: needs 1, 0 free; avoided: w1 (failed this job); lost: w2; closed: w3");
  std::vector<SlotOffer> many(6, closed);
  for (size_t i = 0; i < many.size(); ++i) many[i].worker_id = "c" + std::to_string(i);
  EXPECT_EQ(ExplainNoPlace(MakeJob("j-2"), many).text,
            "waiting-for-slots: needs 1, 0 free; closed: c0, c1, c2, c3 and 2 more");
}

TEST(Explain, NoFitSaysTheLargestOffer) {
  EXPECT_EQ(ExplainNoPlace(MakeJob("j-1"), {}).text,
            "no-worker-fits: asks for 1 slot, no worker has connected yet");
  const std::vector<SlotOffer> offers = {Offer("w1", 2, 0), Offer("w2", 3, 3),
                                         Offer("g", 4, 4, DeviceKind::kCuda)};
  EXPECT_EQ(ExplainNoPlace(MakeJob("j-1", 8), offers).text,
            "no-worker-fits: asks for 8 slots, the largest offer is 5 over 3 workers");
  SlotOffer gone = Offer("w3", 8, 8);
  gone.connected = false;
  gone.gone = true;
  EXPECT_EQ(ExplainNoPlace(MakeJob("j-1", 3), {Offer("w1", 2, 2), gone}).text,
            "no-worker-fits: asks for 3 slots, the largest offer is 2 over 1 worker; lost: w3");
}

TEST(Explain, LabelsThatNoWorkerHasSayWhatThereIs) {
  std::vector<SlotOffer> offers = {Offer("w1", 2, 2), Offer("w2", 3, 3)};
  Job job = MakeJob("j-1");
  job.demand.require = {{"who", "nobb"}};
  EXPECT_EQ(ExplainNoPlace(job, offers).text,
            "no-worker-fits: asks for 1 slot with who=nobb, no worker has a label who");
  offers[0].labels = {{"gpu", "h100"}};
  EXPECT_EQ(
      ExplainNoPlace(job, offers).text,
      "no-worker-fits: asks for 1 slot with who=nobb, no worker has a label who; their labels: "
      "gpu");
  offers[0].labels["who"] = "bob";
  EXPECT_EQ(ExplainNoPlace(job, offers).text,
            "no-worker-fits: asks for 1 slot with who=nobb, there is who=bob on w1");
  offers[1].labels["who"] = "nobb";
  job.demand.require["gpu"] = "h100";
  EXPECT_EQ(ExplainNoPlace(job, offers).text,
            "no-worker-fits: asks for 1 slot with gpu=h100, who=nobb, no worker has all of them");
}

TEST(Explain, ADeadlineIsAPointInTime) {
  EXPECT_EQ(ExplainDeadline("no-worker-fits: x", absl::FromUnixSeconds(0)),
            "no-worker-fits: x; fails at 1970-01-01T00:00:00Z");
}

TEST(Explain, QueueSaysHowManyAreAhead) {
  EXPECT_EQ(ExplainBehind(1).text, "lower-priority: 1 job ahead in the queue");
  EXPECT_EQ(ExplainBehind(3).text, "lower-priority: 3 jobs ahead in the queue");
  EXPECT_EQ(ExplainBehind(19).text, "lower-priority: 19 jobs ahead in the queue");
  EXPECT_EQ(ExplainBehind(4321).text, "lower-priority: 4000+ jobs ahead in the queue");
}

TEST(Explain, BackoffNamesTheTimeAndTheCause) {
  Job job = MakeJob("j-1");
  job.not_before = absl::FromUnixSeconds(0);
  EXPECT_EQ(ExplainBackoff(job, "program: boom"),
            "backoff: next try at 1970-01-01T00:00:00Z after program: boom");
}

TEST(Explain, StatesNameTheWorkersTheyWaitFor) {
  Job job = RunningJob("j-1", {"w1", "w2"});
  job.state = JobState::kCancelling;
  EXPECT_EQ(ExplainStopping(job), "cancelling: waiting for w1, w2 to stop");
  job.state = JobState::kPausing;
  EXPECT_EQ(ExplainStopping(job), "pausing: waiting for w1, w2 to stop");
  job.attempts.back().members[0].state = MemberState::kGone;
  job.attempts.back().end_class = EndClass::kProgram;
  job.attempts.back().end_message = "boom";
  EXPECT_EQ(ExplainRecovering(job),
            "recovering: attempt 1 ended (program: boom); waiting for w2 to stop");
  job.attempts.back().members[1].state = MemberState::kAssigned;
  EXPECT_EQ(ExplainAdmission(job), "admission: waiting for w2 to accept attempt 1");
}

TEST(Explain, HeldPausedAndDependentJobsNameTheWayOn) {
  Job job = MakeJob("j-1");
  EXPECT_EQ(ExplainHeld(job), "held: starts after fpoctl release j-1");
  EXPECT_EQ(ExplainPaused(job),
            "paused: has no checkpoint yet, restarts its phase after fpoctl resume j-1");
  job.checkpoint_step = 40;
  EXPECT_EQ(ExplainPaused(job),
            "paused: continues from the checkpoint of step 40 after fpoctl resume j-1");
  EXPECT_EQ(ExplainDependency("j-0", JobState::kRunning), "dependency: job j-0 is RUNNING");
  EXPECT_EQ(ExplainDependency("j-0", JobState::kFailed),
            "dependency: job j-0 is FAILED, which can never become SUCCEEDED");
}

}  // namespace
}  // namespace fpo::coordinator
