#include "coordinator/core/scheduling/scheduler.h"

#include <map>

#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

const Moment kNow = {kStart, kStart};

SchedulePlan Plan(const std::vector<Job>& jobs, const std::vector<SlotOffer>& offers,
                  const Moment& now = kNow) {
  SchedulerInput input;
  for (const Job& job : jobs) input.queued.push_back(&job);
  input.offers = offers;
  Scheduler scheduler{SchedulerOptions{}};
  return scheduler.Tick(input, now);
}

SchedulerInput InputOf(const Job& job, const std::vector<SlotOffer>& offers) {
  SchedulerInput input;
  input.queued = {&job};
  input.offers = offers;
  return input;
}

TEST(Scheduler, PlacesAJobOnTheFullestWorkerThatFits) {
  const SchedulePlan plan =
      Plan({MakeJob("j-1", 2)}, {Offer("w1", 8, 8), Offer("w2", 2, 2), Offer("w3", 2, 1)});
  ASSERT_EQ(plan.placements.size(), 1u);
  ASSERT_EQ(plan.placements[0].members.size(), 1u);
  EXPECT_EQ(plan.placements[0].members[0], MemberOn("w2", 2));
}

TEST(Scheduler, SpreadsAGangOverWorkersWithFollowingRanks) {
  const SchedulePlan plan = Plan({MakeJob("j-1", 5)}, {Offer("w1", 2, 2), Offer("w2", 4, 4)});
  ASSERT_EQ(plan.placements.size(), 1u);
  const auto& members = plan.placements[0].members;
  ASSERT_EQ(members.size(), 2u);
  EXPECT_EQ(members[0], MemberOn("w2", 4, 0));
  EXPECT_EQ(members[1], MemberOn("w1", 1, 4));
}

TEST(Scheduler, AGangIsAllOrNothing) {
  const SchedulePlan plan = Plan({MakeJob("j-1", 3)}, {Offer("w1", 2, 2), Offer("w2", 2, 0)});
  EXPECT_TRUE(plan.placements.empty());
  ASSERT_EQ(plan.waits.size(), 1u);
  EXPECT_EQ(plan.waits[0].why.text, "waiting-for-slots: needs 3, 2 free");
}

TEST(Scheduler, AJobForWhichWorkersMayBeStartedDoesNotFail) {
  Job job = MakeJob("j-1", 8), over = MakeJob("j-2", 8), paused = MakeJob("j-3", 8);
  paused.not_before = kStart + absl::Minutes(2);
  SchedulerInput input = InputOf(job, {Offer("w1", 2, 2)});
  input.queued = {&job, &over, &paused};
  input.may_grow = [](const Job& each) { return each.job_id != "j-2"; };
  SchedulerOptions options;
  options.quotas = {{QuotaRule::Of::kOwner, "ada", 8}};
  Scheduler scheduler{options};
  scheduler.Tick(input, kNow);
  const Moment later = {kStart + absl::Minutes(11), kStart + absl::Minutes(11)};
  SchedulePlan plan = scheduler.Tick(input, later);
  ASSERT_EQ(plan.unsatisfiable.size(), 1u);
  EXPECT_EQ(plan.unsatisfiable[0].job_id, "j-2");
  ASSERT_EQ(plan.waits.size(), 2u);
  EXPECT_EQ(plan.waits[0].why.standing, Standing::kNoWorkerFits);
  EXPECT_EQ(plan.waits[0].why.text.find("fails at"), std::string::npos);
  Job running = RunningJob("j-0");
  input.with_attempt = {&running};
  plan = scheduler.Tick(input, kNow);
  EXPECT_EQ(plan.waits[0].why.standing, Standing::kQuota) << "nothing is asked for in vain";
}

TEST(Scheduler, AGangNeverMixesDevices) {
  const SchedulePlan plan = Plan({MakeJob("j-1", 2)}, {Offer("w1", 1, 1, DeviceKind::kCpu),
                                                       Offer("w2", 1, 1, DeviceKind::kCuda)});
  EXPECT_TRUE(plan.placements.empty());
  EXPECT_EQ(plan.waits.at(0).why.text.rfind("no-worker-fits", 0), 0u);
}

TEST(Scheduler, LostWorkersGiveNothing) {
  SlotOffer lost = Offer("w1", 4, 4);
  lost.connected = false;
  const SchedulePlan plan = Plan({MakeJob("j-1", 1)}, {lost});
  EXPECT_TRUE(plan.placements.empty());
  EXPECT_NE(plan.waits.at(0).why.text.find("lost: w1"), std::string::npos);
}

TEST(Scheduler, ALargeJobIsNotStarvedBySmallOnes) {
  const SchedulePlan plan = Plan(
      {MakeJob("j-big", 4), MakeJob("j-small", 1), MakeJob("j-smaller", 1)}, {Offer("w1", 4, 2)});
  EXPECT_TRUE(plan.placements.empty());
  EXPECT_EQ(plan.waits.at(1).why.text, "lower-priority: 1 job ahead in the queue");
  EXPECT_EQ(plan.waits.at(2).why.text, "lower-priority: 2 jobs ahead in the queue");
}

// A job of ten that needs eight waits for a running one of six; two slots are to spare.
class ReservationTest : public ::testing::Test {
 protected:
  ReservationTest() {
    runs_ = RunningJob("j-runs", {"w1"});
    runs_.demand.slots = runs_.attempts.back().members[0].slots = 6;
    runs_.attempts.back().started = kStart - absl::Hours(1);
  }
  SchedulePlan Tick(const std::vector<const Job*>& queued, int32_t free, absl::Time now) {
    SchedulerInput input;
    input.queued = queued;
    input.with_attempt = with_attempt_;
    input.offers = {Offer("w1", 10, free)};
    return scheduler_.Tick(input, {now, now});
  }

  Job runs_;
  const Job wide_ = MakeJob("j-wide", 8);
  std::vector<const Job*> with_attempt_ = {&runs_};
  Scheduler scheduler_{SchedulerOptions{}};
};

TEST_F(ReservationTest, NarrowJobsUseOnlyWhatTheWideOneWillNotNeed) {
  const Job a = MakeJob("j-a", 2);
  const Job b = MakeJob("j-b", 2);
  const SchedulePlan plan = Tick({&wide_, &a, &b}, 4, kStart);
  ASSERT_EQ(plan.placements.size(), 1u) << "two slots are to spare, not four";
  EXPECT_EQ(plan.placements[0].job_id, "j-a");
  EXPECT_EQ(plan.waits.at(0).why.text, "waiting-for-slots: needs 8, 4 free");
  EXPECT_EQ(plan.waits.at(1).why.text, "lower-priority: 1 job ahead in the queue");
}

TEST_F(ReservationTest, AStreamOfNarrowJobsDoesNotPushTheWideOneBack) {
  std::vector<Job> narrow;
  for (int i = 0; i < 6; ++i) narrow.push_back(MakeJob("j-" + std::to_string(i), 1));
  Tick({&wide_}, 4, kStart);
  int32_t free = 4;
  size_t placed = 0;
  std::vector<Job> placed_jobs(6);
  for (int i = 0; i < 6; ++i) {  // one a second
    const absl::Time now = kStart + absl::Seconds(i + 1);
    const Job& job = narrow[static_cast<size_t>(i)];
    const SchedulePlan plan = Tick({&wide_, &job}, free, now);
    if (plan.placements.empty()) continue;
    placed_jobs[placed] = After(job, {Reserve{plan.placements[0].members}}, now);
    with_attempt_.push_back(&placed_jobs[placed]);
    ++placed;
    --free;
  }
  EXPECT_EQ(placed, 2u);
  with_attempt_.erase(with_attempt_.begin());  // the running one ends
  const SchedulePlan plan = Tick({&wide_, &narrow[5]}, 8, kStart + absl::Minutes(1));
  ASSERT_EQ(plan.placements.size(), 1u);
  EXPECT_EQ(plan.placements[0].job_id, "j-wide");
}

TEST_F(ReservationTest, AMoreUrgentJobPreemptsTheLeastUrgentThatSuffice) {
  Job other = RunningJob("j-other", {"w1"});
  other.demand.priority = 100;
  other.attempts.back().members[0].slots = other.demand.slots = 4;
  with_attempt_.push_back(&other);
  Job urgent = MakeJob("j-urgent", 3, 900);
  SchedulePlan plan = Tick({&urgent}, 0, kStart);
  ASSERT_EQ(plan.preemptions.size(), 1u);
  EXPECT_EQ(plan.preemptions[0].job_id, "j-other");
  EXPECT_NE(plan.preemptions[0].text.find("j-urgent"), std::string::npos);
  urgent.demand.slots = 6;
  plan = Tick({&urgent}, 0, kStart);
  ASSERT_EQ(plan.preemptions.size(), 1u) << "the larger one alone makes enough room";
  EXPECT_EQ(plan.preemptions[0].job_id, "j-runs");
  urgent.demand.slots = 10;
  EXPECT_EQ(Tick({&urgent}, 0, kStart).preemptions.size(), 2u);
  urgent.demand.priority = 500;
  urgent.demand.slots = 6;
  EXPECT_TRUE(Tick({&urgent}, 0, kStart).preemptions.empty()) << "only for higher priority";
}

TEST_F(ReservationTest, NobodyIsPreemptedTwiceForTheSameSlots) {
  const Job urgent = MakeJob("j-urgent", 6, 900);
  ASSERT_EQ(Tick({&urgent}, 4, kStart).preemptions.size(), 1u);
  runs_ = Apply(runs_, Preempt{absl::Minutes(1), "room"}, kStart).value();
  EXPECT_TRUE(Tick({&urgent}, 4, kStart).preemptions.empty());
}

TEST(Scheduler, QuotasMakeJobsWaitWithoutBlockingOthers) {
  Job first = MakeJob("j-1", 2);
  Job second = MakeJob("j-2", 1);
  Job other = MakeJob("j-3", 1);
  other.owner = "bob";
  SchedulerInput input;
  input.queued = {&first, &second, &other};
  input.offers = {Offer("w1", 8, 8)};
  Scheduler scheduler{SchedulerOptions{absl::Minutes(10), {{QuotaRule::Of::kOwner, "ada", 2}}}};
  const SchedulePlan plan = scheduler.Tick(input, kNow);
  ASSERT_EQ(plan.placements.size(), 2u);
  EXPECT_EQ(plan.placements[1].job_id, "j-3");
  EXPECT_EQ(plan.waits.at(0).why.text, "quota: owner ada uses 2 of 2 slots, the job needs 1");
}

TEST(Scheduler, AJobAboveItsQuotaIsGivenUp) {
  const Job job = MakeJob("j-1", 3);
  Scheduler scheduler{SchedulerOptions{absl::Minutes(10), {{QuotaRule::Of::kOwner, "*", 2}}}};
  scheduler.Tick(InputOf(job, {Offer("w1", 8, 8)}), kNow);
  const SchedulePlan plan =
      scheduler.Tick(InputOf(job, {Offer("w1", 8, 8)}), {kStart, kStart + absl::Minutes(10)});
  ASSERT_EQ(plan.unsatisfiable.size(), 1u);
  EXPECT_EQ(plan.unsatisfiable[0].text.rfind("quota: owner ada", 0), 0u);
}

TEST(Scheduler, ClosedWorkersGiveNothingButAreWaitedFor) {
  SlotOffer closed = Offer("w1", 4, 4);
  closed.open = false;
  const SchedulePlan plan = Plan({MakeJob("j-1", 1)}, {closed});
  EXPECT_TRUE(plan.placements.empty());
  EXPECT_EQ(plan.waits.at(0).why.text, "waiting-for-slots: needs 1, 0 free; closed: w1");
}

TEST(Scheduler, AJobThatFitsNowhereDoesNotBlockOthers) {
  const SchedulePlan plan = Plan({MakeJob("j-huge", 64), MakeJob("j-1", 1)}, {Offer("w1", 4, 4)});
  ASSERT_EQ(plan.placements.size(), 1u);
  EXPECT_EQ(plan.placements[0].job_id, "j-1");
}

TEST(Scheduler, BackoffIsWaitedForAndBlocksNobody) {
  Job waits = MakeJob("j-waits");
  waits.not_before = kStart + absl::Seconds(5);
  waits.reason = "backoff: until then";
  const std::vector<Job> jobs = {waits, MakeJob("j-1")};
  SchedulePlan plan = Plan(jobs, {Offer("w1", 1, 1)});
  ASSERT_EQ(plan.placements.size(), 1u);
  EXPECT_EQ(plan.placements[0].job_id, "j-1");
  EXPECT_EQ(plan.waits.at(0).why, (WaitReason{Standing::kBackoff, "backoff: until then"}));
  plan = Plan({waits}, {Offer("w1", 1, 1)}, {kStart + absl::Seconds(5), kStart});
  EXPECT_EQ(plan.placements.size(), 1u);
}

TEST(Scheduler, AWallClockSetBackDoesNotFreezeABackoff) {
  Job job = MakeJob("j-1");
  job.not_before = kStart + absl::Hours(10);
  EXPECT_EQ(Plan({job}, {Offer("w1", 1, 1)}).placements.size(), 1u);
}

TEST(Scheduler, PrefersAnotherWorkerAfterAnInfrastructureFailure) {
  Job job = RunningJob("j-1", {"w1"});
  job = After(job, {MemberLost{LastAttemptRef(job), "w1", "lost"}, ResolveStopped{}});
  job.not_before = kStart;
  SchedulePlan plan = Plan({job}, {Offer("w1", 1, 1), Offer("w2", 8, 8)});
  EXPECT_EQ(plan.placements.at(0).members.at(0).worker, "w2");
  plan = Plan({job}, {Offer("w1", 1, 1)});
  EXPECT_EQ(plan.placements.at(0).members.at(0).worker, "w1") << "better than nowhere";
}

TEST(Scheduler, GivesUpOnWhatNothingCanHoldAfterTenMinutes) {
  Scheduler scheduler{SchedulerOptions{}};
  const Job job = MakeJob("j-1", 8);
  const std::vector<SlotOffer> offers = {Offer("w1", 2, 2)};
  const absl::Duration wait = absl::Minutes(10);
  EXPECT_EQ(scheduler.Tick(InputOf(job, offers), kNow).waits.size(), 1u);
  EXPECT_EQ(
      scheduler.Tick(InputOf(job, offers), {kStart, kStart + wait - absl::Seconds(1)}).waits.size(),
      1u);
  const SchedulePlan plan = scheduler.Tick(InputOf(job, offers), {kStart, kStart + wait});
  ASSERT_EQ(plan.unsatisfiable.size(), 1u);
  EXPECT_EQ(plan.unsatisfiable[0].text,
            "no-worker-fits: asks for 8 slots, the largest offer is 2 over 1 worker; gave up "
            "after 10m");
}

TEST(Scheduler, ALostWorkerIsWaitedForAsLongAsOneThatNeverCame) {
  Scheduler scheduler{SchedulerOptions{}};
  const Job job = MakeJob("j-1", 2);
  const Job narrow = MakeJob("j-2", 1);
  std::vector<SlotOffer> offers = {Offer("live", 1, 1), Offer("dead", 1, 1)};
  offers[1].connected = false;
  SchedulerInput input = InputOf(job, offers);
  input.queued.push_back(&narrow);
  SchedulePlan plan = scheduler.Tick(input, kNow);
  ASSERT_EQ(plan.waits.size(), 1u);
  EXPECT_EQ(plan.waits[0].why.text,
            "waiting-for-slots: needs 2, 1 free; lost: dead; fails at 2027-01-15T08:10:00Z");
  ASSERT_EQ(plan.placements.size(), 1u) << "no other job waits for a lost worker";
  EXPECT_EQ(plan.placements[0].job_id, "j-2");
  const absl::Duration wait = absl::Minutes(10);
  const Moment before = {kStart, kStart + wait - absl::Seconds(1)};
  EXPECT_EQ(scheduler.Tick(InputOf(job, offers), before).waits.size(), 1u) << "a short outage";
  offers[1].gone = true;
  plan = scheduler.Tick(InputOf(job, offers), {kStart, kStart + wait});
  ASSERT_EQ(plan.unsatisfiable.size(), 1u);
  EXPECT_EQ(plan.unsatisfiable[0].text,
            "no-worker-fits: asks for 2 slots, the largest offer is 1 over 1 worker; lost: dead; "
            "gave up after 10m");
}

TEST(Scheduler, AWorkerThatComesBackStopsTheClock) {
  Scheduler scheduler{SchedulerOptions{}};
  const Job job = MakeJob("j-1");
  std::vector<SlotOffer> offers = {Offer("w1", 1, 0)};
  offers[0].connected = false;
  scheduler.Tick(InputOf(job, offers), kNow);
  offers[0].connected = true;
  scheduler.Tick(InputOf(job, offers), {kStart, kStart + absl::Minutes(9)});
  offers[0].connected = false;
  EXPECT_TRUE(scheduler.Tick(InputOf(job, offers), {kStart, kStart + absl::Minutes(11)})
                  .unsatisfiable.empty());
}

TEST(Scheduler, AJobFallsBackToAWorkerItAvoidsWhenTheOtherIsGone) {
  Job job = MakeJob("j-1");
  job.unready_hosts = {"live"};
  job.host_faults["live"] = 1;
  std::vector<SlotOffer> offers = {Offer("live", 1, 1), Offer("dead", 1, 1)};
  offers[1].connected = false;
  EXPECT_EQ(Plan({job}, offers).waits.at(0).why.text,
            "waiting-for-slots: needs 1, 0 free; avoided: live (failed this job); lost: dead");
  offers[1].gone = true;
  EXPECT_EQ(Plan({job}, offers).placements.at(0).members.at(0).worker, "live");
}

TEST(Scheduler, TheClockOfGivingUpRestartsWhenItFitted) {
  Scheduler scheduler{SchedulerOptions{}};
  const Job job = MakeJob("j-1", 2);
  const absl::Duration wait = absl::Minutes(10);
  scheduler.Tick(InputOf(job, {Offer("w1", 1, 1)}), kNow);
  scheduler.Tick(InputOf(job, {Offer("w1", 2, 0)}), {kStart, kStart + absl::Minutes(5)});
  EXPECT_TRUE(scheduler.Tick(InputOf(job, {Offer("w1", 1, 1)}), {kStart, kStart + wait})
                  .unsatisfiable.empty());
}

// Many random queues: no worker ever gives more than it has, and every job is decided once.
TEST(Scheduler, NeverBooksASlotTwice) {
  uint64_t random = 7;
  auto next = [&random](uint64_t below) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    return static_cast<int32_t>((random >> 33) % below);
  };
  for (int round = 0; round < 300; ++round) {
    std::vector<SlotOffer> offers;
    for (int w = 0; w <= next(4); ++w) {
      const int32_t slots = 1 + next(8);
      offers.push_back(Offer("w" + std::to_string(w), slots, next(slots + 1)));
      offers.back().connected = next(5) != 0;
    }
    std::vector<Job> jobs;
    for (int j = 0; j < 12; ++j) jobs.push_back(MakeJob("j-" + std::to_string(j), 1 + next(9)));
    const SchedulePlan plan = Plan(jobs, offers);
    EXPECT_EQ(plan.placements.size() + plan.waits.size(), jobs.size());
    std::map<std::string, int32_t> taken;
    for (const auto& placement : plan.placements) {
      int32_t ranks = 0;
      for (const Member& member : placement.members) {
        EXPECT_EQ(member.first_rank, ranks);
        ranks += member.slots;
        taken[member.worker] += member.slots;
      }
      const int job = std::stoi(placement.job_id.substr(2));
      EXPECT_EQ(ranks, jobs[static_cast<size_t>(job)].demand.slots);
    }
    for (const SlotOffer& offer : offers) EXPECT_LE(taken[offer.worker_id], offer.usable());
  }
}

}  // namespace
}  // namespace fpo::coordinator
