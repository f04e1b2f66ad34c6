#include "server/core/explain.h"

#include "gtest/gtest.h"
#include "tests/server/core/fixtures.h"

namespace fpo::coordinator {
namespace {

TEST(Explain, SlotsSayHowManyAreNeededAndFree) {
  EXPECT_EQ(ExplainSlots(2, {Offer("w1", 2, 1), Offer("w2", 1, 0)}),
            "waiting-for-slots: needs 2, 1 free");
  SlotOffer lost = Offer("w3", 4, 4);
  lost.connected = false;
  EXPECT_EQ(ExplainSlots(4, {lost}), "waiting-for-slots: needs 4, 0 free; lost: w3");
}

TEST(Explain, NoFitSaysTheLargestOffer) {
  EXPECT_EQ(ExplainNoFit(MakeJob("j-1"), {}, {}),
            "no-worker-fits: asks for 1 slot, no worker has connected yet");
  const std::vector<SlotOffer> offers = {Offer("w1", 2, 0), Offer("w2", 3, 3),
                                         Offer("g", 4, 4, "cuda")};
  Job job = MakeJob("j-1", 8);
  EXPECT_EQ(ExplainNoFit(job, offers, offers),
            "no-worker-fits: asks for 8 slots, the largest offer is 5 over 3 workers");
  job.demand.require = {{"gpu", "h100"}};
  EXPECT_EQ(
      ExplainNoFit(job, offers, {}),
      "no-worker-fits: asks for 8 slots with gpu=h100, the largest offer is 0 over 0 workers");
}

TEST(Explain, QueueSaysHowManyAreAhead) {
  EXPECT_EQ(ExplainBehind(1), "lower-priority: 1 job ahead in the queue");
  EXPECT_EQ(ExplainBehind(3), "lower-priority: 3 jobs ahead in the queue");
  EXPECT_EQ(ExplainBehind(19), "lower-priority: 19 jobs ahead in the queue");
  EXPECT_EQ(ExplainBehind(4321), "lower-priority: 4000+ jobs ahead in the queue");
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
  job.attempts.back().end_class = "program";
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
            "paused: has no checkpoint yet, starts its phase anew after fpoctl resume j-1");
  job.checkpoint_step = 40;
  EXPECT_EQ(ExplainPaused(job),
            "paused: goes on from the checkpoint of step 40 after fpoctl resume j-1");
  EXPECT_EQ(ExplainDependency("j-0", JobState::kRunning), "dependency: job j-0 is RUNNING");
  EXPECT_EQ(ExplainDependency("j-0", JobState::kFailed),
            "dependency: job j-0 is FAILED, which can never become SUCCEEDED");
}

}  // namespace
}  // namespace fpo::coordinator
