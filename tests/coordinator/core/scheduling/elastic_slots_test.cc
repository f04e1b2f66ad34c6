#include "coordinator/core/scheduling/elastic_slots.h"

#include "coordinator/core/scheduling/scheduler.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kMinute = absl::Minutes(1);

// A job of four slots on w1 and w2 that makes do with two; w2 is lost a minute after the start.
class ElasticTest : public ::testing::Test {
 protected:
  ElasticTest() {
    job_ = MakeJob("j-1", 4);
    job_.demand.min_slots = 2;
    now_ = kStart;
    Run({MemberOn("w1", 2, 0), MemberOn("w2", 2, 2)});
  }
  void Run(const std::vector<Member>& members) {
    job_ = After(job_, {Reserve{members}}, now_);
    for (const ReportStatus status : {ReportStatus::kAccepted, ReportStatus::kRunning}) {
      for (const Member& member : members) {
        job_ = After(job_, {ReportOf(job_, member.worker, status)}, now_);
      }
    }
  }
  // The state once no process of the attempt is left.
  void LoseW2() {
    now_ += kMinute;
    job_ = After(job_,
                 {MemberLost{LastAttemptRef(job_), "w2", "its lease ran out"},
                  ReportOf(job_, "w1", ReportStatus::kStopped), ResolveStopped{}},
                 now_);
    ASSERT_EQ(job_.state, JobState::kQueued);
  }
  SchedulePlan Tick(const std::vector<SlotOffer>& offers,
                    const std::vector<const Job*>& others = {}) {
    SchedulerInput input;
    (job_.state == JobState::kQueued ? input.queued : input.with_attempt) = {&job_};
    input.queued.insert(input.queued.end(), others.begin(), others.end());
    input.offers = offers;
    return scheduler_.Tick(input, {now_, now_});
  }
  // The slots that a plan gives the job; 0: none.
  static int32_t Given(const SchedulePlan& plan) {
    int32_t slots = 0;
    for (const SchedulePlan::Placement& placed : plan.placements) {
      for (const Member& member : placed.members) slots += member.slots;
    }
    return slots;
  }

  Job job_;
  absl::Time now_;
  SchedulerOptions options_ = {
      absl::Minutes(10), {}, {.narrow_after = kMinute, .grow_after = absl::Minutes(10)}};
  Scheduler scheduler_{options_};
};

TEST_F(ElasticTest, AfterALossItGoesOnWithFewer) {
  LoseW2();
  const std::vector<SlotOffer> offers = {Offer("w1", 2, 2)};
  now_ = job_.not_before;
  SchedulePlan plan = Tick(offers);
  ASSERT_EQ(plan.waits.size(), 1u) << "the lost one may be back at once";
  EXPECT_THAT(plan.waits[0].why.text, HasSubstr("asks for 4 slots"));
  EXPECT_THAT(plan.waits[0].why.text, HasSubstr("2 suffice from 2027-01-15T08:0"));
  now_ += kMinute - absl::Seconds(1);
  EXPECT_EQ(Given(Tick(offers)), 0);
  now_ += absl::Seconds(1);
  plan = Tick(offers);
  EXPECT_EQ(Given(plan), 2);
  EXPECT_TRUE(plan.waits.empty());
  EXPECT_EQ(Given(Tick({Offer("w1", 2, 2), Offer("w3", 1, 1)})), 3) << "as many as there are";
  EXPECT_EQ(Given(Tick({Offer("w1", 2, 2), Offer("w3", 8, 8)})), 4) << "but no more than asked for";
  EXPECT_EQ(Given(Tick({Offer("w1", 2, 1)})), 0) << "nor fewer than it makes do with";
}

TEST_F(ElasticTest, AllOfThemAreTakenAtOnceWhenTheyAreThere) {
  LoseW2();
  now_ = job_.not_before;
  EXPECT_EQ(Given(Tick({Offer("w1", 2, 2), Offer("w2", 2, 2)})), 4);
}

TEST_F(ElasticTest, AFirstStartNeedsAll) {
  Job fresh = MakeJob("j-2", 4, 500, absl::Hours(1));
  fresh.demand.min_slots = 2;
  job_ = fresh;
  EXPECT_EQ(Given(Tick({Offer("w1", 2, 2)})), 0);
  EXPECT_EQ(NarrowFrom(fresh, options_.elastic), std::nullopt);
}

// A job that does not say so never changes its width, nor does one whose own program fails.
TEST_F(ElasticTest, OnlyOnDemandAndOnlyAfterALoss) {
  Job failed = After(job_,
                     {ReportOf(job_, "w2", ReportStatus::kFailed, EndClass::kProgram),
                      ReportOf(job_, "w1", ReportStatus::kStopped), ResolveStopped{}},
                     now_);
  ASSERT_EQ(failed.state, JobState::kQueued);
  EXPECT_EQ(NarrowFrom(failed, options_.elastic), std::nullopt);
  LoseW2();
  EXPECT_NE(NarrowFrom(job_, options_.elastic), std::nullopt);
  for (const int32_t min_slots : {0, 4}) {
    job_.demand.min_slots = min_slots;
    EXPECT_EQ(NarrowFrom(job_, options_.elastic), std::nullopt);
    EXPECT_EQ(LeastSlots(job_, options_.elastic, now_ + absl::Hours(1)), 4);
  }
}

TEST_F(ElasticTest, AWorkerThatIsDrainedOrLeavesIsLostToo) {
  const Job drained = After(
      job_,
      {Preempt{absl::Minutes(2), "w2 is drained", true},
       ReportOf(job_, "w1", ReportStatus::kStopped), ReportOf(job_, "w2", ReportStatus::kStopped)},
      now_);
  ASSERT_EQ(drained.state, JobState::kQueued);
  EXPECT_NE(NarrowFrom(drained, options_.elastic), std::nullopt);
  const Job urgent = After(
      job_,
      {Preempt{absl::Minutes(2), "a more urgent job"}, ReportOf(job_, "w1", ReportStatus::kStopped),
       ReportOf(job_, "w2", ReportStatus::kStopped)},
      now_);
  EXPECT_EQ(NarrowFrom(urgent, options_.elastic), std::nullopt);
  const Job left = After(job_,
                         {ReportOf(job_, "w2", ReportStatus::kFailed, EndClass::kAsked),
                          ReportOf(job_, "w1", ReportStatus::kStopped)},
                         now_);
  ASSERT_EQ(left.state, JobState::kQueued);
  EXPECT_NE(NarrowFrom(left, options_.elastic), std::nullopt);
}

TEST_F(ElasticTest, GrowsBackWhenTheRestIsFree) {
  LoseW2();
  now_ = job_.not_before + kMinute;
  Run({MemberOn("w1", 2, 0)});
  ASSERT_EQ(HeldSlots(job_), 2);
  const std::vector<SlotOffer> back = {Offer("w1", 2, 0), Offer("w2", 2, 2)};
  now_ += absl::Minutes(10) - absl::Seconds(1);
  EXPECT_TRUE(Tick(back).preemptions.empty()) << "not each time that a worker comes";
  now_ += absl::Seconds(1);
  EXPECT_TRUE(Tick({Offer("w1", 2, 0), Offer("w2", 2, 1)}).preemptions.empty()) << "not for three";
  const SchedulePlan plan = Tick(back);
  ASSERT_EQ(plan.preemptions.size(), 1u);
  EXPECT_EQ(plan.preemptions[0].job_id, "j-1");
  EXPECT_EQ(plan.preemptions[0].text, "preempted: it goes on with 4 slots instead of 2");
  // It stops with a checkpoint, is not counted, and takes them.
  job_ = After(job_,
               {Preempt{absl::Minutes(2), plan.preemptions[0].text},
                ReportOf(job_, "w1", ReportStatus::kStopped)},
               now_);
  ASSERT_EQ(job_.state, JobState::kQueued);
  EXPECT_EQ(job_.restarts_used, 0);
  EXPECT_EQ(Given(Tick({Offer("w1", 2, 2), Offer("w2", 2, 2)})), 4);
  // And if they are gone by then, it is as after a loss.
  EXPECT_EQ(Given(Tick({Offer("w1", 2, 2)})), 0);
  now_ += kMinute;
  EXPECT_EQ(Given(Tick({Offer("w1", 2, 2)})), 2);
}

TEST_F(ElasticTest, WaitingJobsGetFreeSlotsFirst) {
  LoseW2();
  now_ = job_.not_before + kMinute;
  Run({MemberOn("w1", 2, 0)});
  now_ += absl::Minutes(10);
  const std::vector<SlotOffer> back = {Offer("w1", 2, 0), Offer("w2", 2, 2)};
  const Job waits = MakeJob("j-2", 3), fits = MakeJob("j-3", 1);
  EXPECT_TRUE(Tick(back, {&waits}).preemptions.empty());
  EXPECT_TRUE(Tick(back, {&fits}).preemptions.empty()) << "it has taken one of them";
  EXPECT_EQ(Tick(back).preemptions.size(), 1u);
}

// Two slots are free in all: one of two jobs can be whole.
TEST_F(ElasticTest, TwoDoNotGrowIntoTheSameSlots) {
  LoseW2();
  now_ = job_.not_before + kMinute;
  Run({MemberOn("w1", 2, 0)});
  Job other = job_;
  other.job_id = "j-2";
  other.attempts.back().members = {MemberOn("w3", 2, 0)};
  now_ += absl::Minutes(10);
  SchedulerInput input;
  input.with_attempt = {&job_, &other};
  input.offers = {Offer("w1", 2, 0), Offer("w2", 2, 2), Offer("w3", 2, 0)};
  EXPECT_EQ(scheduler_.Tick(input, {now_, now_}).preemptions.size(), 1u);
}

TEST_F(ElasticTest, QuotasCountWhatIsHeld) {
  LoseW2();
  now_ = job_.not_before + kMinute;
  Run({MemberOn("w1", 2, 0)});
  now_ += absl::Minutes(10);
  options_.quotas = {{QuotaRule::Of::kOwner, "ada", 5}};
  Scheduler scheduler{options_};
  const Job two = MakeJob("j-2", 2), four = MakeJob("j-3", 4);
  SchedulerInput input;
  input.with_attempt = {&job_};
  input.queued = {&four, &two};
  input.offers = {Offer("w1", 2, 0), Offer("w4", 8, 8)};
  const SchedulePlan plan = scheduler.Tick(input, {now_, now_});
  ASSERT_EQ(plan.placements.size(), 1u);
  EXPECT_EQ(plan.placements[0].job_id, "j-2") << "two are held, not four";
  EXPECT_THAT(plan.waits.at(0).why.text, HasSubstr("uses 2 of 5 slots"));
  EXPECT_TRUE(plan.preemptions.empty()) << "the quota has no room for it to grow";
}

// One that no workers can hold any more does not fail while it can go on with fewer.
TEST_F(ElasticTest, FewerWorkersThanItAskedForAreNoReasonToFail) {
  LoseW2();
  now_ = job_.not_before + kMinute;
  for (int minute = 0; minute < 30; ++minute) {
    const SchedulePlan plan = Tick({Offer("w1", 2, 0)});
    EXPECT_TRUE(plan.unsatisfiable.empty());
    ASSERT_EQ(plan.waits.size(), 1u);
    EXPECT_THAT(plan.waits[0].why.text, HasSubstr("2 suffice, since it has lost a worker"));
    now_ += kMinute;
  }
  EXPECT_EQ(Given(Tick({Offer("w1", 2, 2)})), 2);
  now_ += kMinute;
  Tick({Offer("w1", 1, 1)});
  now_ += absl::Minutes(11);
  EXPECT_EQ(Tick({Offer("w1", 1, 1)}).unsatisfiable.size(), 1u) << "not even those";
}

// Waiting with fewer slots, it reserves no more than it will take.
TEST_F(ElasticTest, HoldsUpNoOneForSlotsThatItDoesNotNeed) {
  LoseW2();
  now_ = job_.not_before + kMinute;
  const Job small = MakeJob("j-2", 1);
  SchedulerInput input;
  input.queued = {&job_, &small};
  Job runs = RunningJob("j-3", {"w1"});
  runs.demand.slots = runs.attempts.back().members[0].slots = 2;
  input.with_attempt = {&runs};
  input.offers = {Offer("w1", 3, 1)};
  const SchedulePlan plan = scheduler_.Tick(input, {now_, now_});
  ASSERT_EQ(plan.placements.size(), 1u);
  EXPECT_EQ(plan.placements[0].job_id, "j-2");
}

}  // namespace
}  // namespace fpo::coordinator
