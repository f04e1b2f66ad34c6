#include "coordinator/core/scheduling/queue_forecast.h"

#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

JobPtr Ptr(Job job) { return std::make_shared<const Job>(std::move(job)); }

JobPtr Running(const std::string& id, double step_seconds, int64_t steps_left) {
  Job job = RunningJob(id);
  job.progress.phase = Phase::kTrain;
  job.progress.step = 10;
  job.progress.total_steps = 10 + steps_left;
  if (step_seconds > 0) job.progress.metrics["step_seconds"] = step_seconds;
  return Ptr(job);
}

// `others` are known too, neither queued nor running.
QueueView ForecastQueue(const std::vector<JobPtr>& running, const std::vector<JobPtr>& queued,
                        const std::vector<SlotOffer>& offers, const RunTimes& times,
                        const std::vector<JobPtr>& others = {}) {
  const FindJob find = [&](const std::string& id) {
    for (const auto* jobs : {&running, &queued, &others}) {
      for (const JobPtr& job : *jobs) {
        if (job->job_id == id) return job;
      }
    }
    return JobPtr();
  };
  return coordinator::ForecastQueue({running, queued, offers, &times, find, kStart});
}

JobPtr After(const std::string& id, const std::vector<std::string>& after_ok) {
  Job job = MakeJob(id);
  job.after_ok = after_ok;
  return Ptr(job);
}

std::vector<std::string> Ids(const QueueView& view) {
  std::vector<std::string> ids;
  for (const QueuePlace& place : view.waiting) ids.push_back(place.job->job_id);
  return ids;
}

RunTimes Usual(absl::Duration time) {
  RunTimes times;
  Job done = MakeJob("j-done");
  done.started = kStart - time;
  done.ended = kStart;
  times.Note(done);
  return times;
}

TEST(QueueForecast, WaitingJobsStartWhenSlotsComeBackInOrder) {
  const QueueView view =
      ForecastQueue({Running("j-1", 2.0, 30)}, {Ptr(MakeJob("j-2")), Ptr(MakeJob("j-3"))},
                    {Offer("w1", 1, 0)}, Usual(absl::Minutes(5)));
  EXPECT_EQ(view.slots, 1);
  EXPECT_EQ(view.slots_free, 0);
  EXPECT_EQ(view.running.at(0).end, kStart + absl::Minutes(1));
  ASSERT_EQ(view.waiting.size(), 2u);
  EXPECT_EQ(view.waiting[0].position, 1);
  EXPECT_EQ(view.waiting[0].start, kStart + absl::Minutes(1));
  EXPECT_EQ(view.waiting[0].end, kStart + absl::Minutes(6));
  EXPECT_EQ(view.waiting[1].start, kStart + absl::Minutes(6));
}

TEST(QueueForecast, UnknownStaysUnknown) {
  const QueueView view = ForecastQueue({Running("j-1", 0, 30)}, {Ptr(MakeJob("j-2"))},
                                       {Offer("w1", 1, 0)}, RunTimes());
  EXPECT_EQ(view.running.at(0).end, std::nullopt);
  EXPECT_EQ(view.waiting.at(0).start, std::nullopt);
}

TEST(QueueForecast, AJobLargerThanEverythingHoldsUpNobody) {
  const QueueView view = ForecastQueue({}, {Ptr(MakeJob("j-1", 9)), Ptr(MakeJob("j-2"))},
                                       {Offer("w1", 1, 1)}, RunTimes());
  EXPECT_EQ(Ids(view), (std::vector<std::string>{"j-2", "j-1"}));
  EXPECT_EQ(view.waiting.at(0).start, kStart);
  EXPECT_EQ(view.waiting.at(1).start, std::nullopt);
}

TEST(QueueForecast, JobsStartAfterThoseTheyDependOn) {
  // In queue order: the urgent last link of a chain comes first.
  const QueueView view =
      ForecastQueue({Running("j-1", 2.0, 30)},
                    {After("j-4", {"j-1", "j-3"}), After("j-2", {"j-1"}), After("j-3", {"j-2"})},
                    {Offer("w1", 3, 2)}, Usual(absl::Minutes(5)));
  EXPECT_EQ(Ids(view), (std::vector<std::string>{"j-2", "j-3", "j-4"}));
  EXPECT_EQ(view.waiting.at(0).start, kStart + absl::Minutes(1));
  EXPECT_EQ(view.waiting.at(1).start, kStart + absl::Minutes(6));
  EXPECT_EQ(view.waiting.at(2).start, kStart + absl::Minutes(11));
}

TEST(QueueForecast, AJobThatWaitsForAnotherHoldsUpNobody) {
  const QueueView view =
      ForecastQueue({Running("j-1", 0, 30)}, {After("j-2", {"j-1"}), Ptr(MakeJob("j-3"))},
                    {Offer("w1", 2, 1)}, RunTimes());
  EXPECT_EQ(Ids(view), (std::vector<std::string>{"j-3", "j-2"}));
  EXPECT_EQ(view.waiting.at(0).start, kStart);
  EXPECT_EQ(view.waiting.at(1).start, std::nullopt) << "the end of j-1 is unknown";
}

TEST(QueueForecast, AHeldJobHoldsThoseBehindIt) {
  Job held = MakeJob("j-1");
  held.state = JobState::kHeld;
  Job done = MakeJob("j-0");
  done.state = JobState::kSucceeded;
  const QueueView view =
      ForecastQueue({}, {After("j-2", {"j-1"}), After("j-3", {"j-0", "j-unknown"})},
                    {Offer("w1", 2, 2)}, RunTimes(), {Ptr(held), Ptr(done)});
  EXPECT_EQ(Ids(view), (std::vector<std::string>{"j-3", "j-2"}));
  EXPECT_EQ(view.waiting.at(0).start, kStart) << "what it waited for has ended";
  EXPECT_EQ(view.waiting.at(1).start, std::nullopt);
}

TEST(QueueForecast, AJobStartsOnlyOnWorkersThatItMayUse) {
  Job avoids = MakeJob("j-1");
  avoids.unready_hosts = {"w1"};
  avoids.host_faults["w1"] = 1;
  SlotOffer lost = Offer("w2", 1, 1);
  lost.connected = false;
  QueueView view = ForecastQueue({}, {Ptr(avoids)}, {Offer("w1", 1, 1), lost}, RunTimes());
  EXPECT_EQ(view.waiting.at(0).start, std::nullopt) << "w1 is free, but not for this job";
  lost.gone = true;
  view = ForecastQueue({}, {Ptr(avoids)}, {Offer("w1", 1, 1), lost}, RunTimes());
  EXPECT_EQ(view.waiting.at(0).start, kStart);

  Job labelled = MakeJob("j-2");
  labelled.demand.require = {{"gpu", "h100"}};
  view = ForecastQueue({}, {Ptr(labelled), Ptr(MakeJob("j-3"))}, {Offer("w1", 1, 1)}, RunTimes());
  EXPECT_EQ(Ids(view), (std::vector<std::string>{"j-3", "j-2"}));
  EXPECT_EQ(view.waiting.at(1).start, std::nullopt);
}

TEST(QueueForecast, OneThatWaitsHoldsUpOthersOnItsWorkersOnly) {
  SlotOffer big = Offer("w1", 1, 0);
  big.labels = {{"gpu", "h100"}};
  Job first = MakeJob("j-2");
  first.demand.require = {{"gpu", "h100"}};
  const QueueView view = ForecastQueue({Running("j-1", 2.0, 30)}, {Ptr(first), Ptr(MakeJob("j-3"))},
                                       {big, Offer("w2", 1, 1)}, RunTimes());
  EXPECT_EQ(Ids(view), (std::vector<std::string>{"j-3", "j-2"}));
  EXPECT_EQ(view.waiting.at(0).start, kStart);
  EXPECT_EQ(view.waiting.at(1).start, kStart + absl::Minutes(1));
}

TEST(QueueForecast, AGangNeverMixesDevices) {
  const QueueView view =
      ForecastQueue({}, {Ptr(MakeJob("j-1", 2))},
                    {Offer("w1", 1, 1), Offer("w2", 1, 1, DeviceKind::kCuda)}, RunTimes());
  EXPECT_EQ(view.waiting.at(0).start, std::nullopt);
}

TEST(QueueForecast, ABackoffHoldsUpNobodyElse) {
  Job later = MakeJob("j-1");
  later.not_before = kStart + absl::Minutes(2);
  const QueueView view = ForecastQueue({}, {Ptr(later), Ptr(MakeJob("j-2"))}, {Offer("w1", 1, 1)},
                                       Usual(absl::Minutes(1)));
  EXPECT_EQ(Ids(view), (std::vector<std::string>{"j-2", "j-1"}));
  EXPECT_EQ(view.waiting.at(0).start, kStart);
  EXPECT_EQ(view.waiting.at(1).start, kStart + absl::Minutes(2));
}

TEST(QueueForecast, TheEndOfABackoffIsNotTheEndOfTheJob) {
  Job later = MakeJob("j-1");
  later.not_before = kStart + absl::Minutes(2);
  const QueueView view = ForecastQueue({}, {Ptr(later), After("j-2", {"j-1"})}, {Offer("w1", 2, 2)},
                                       Usual(absl::Minutes(1)));
  EXPECT_EQ(view.waiting.at(0).start, kStart + absl::Minutes(2));
  EXPECT_EQ(view.waiting.at(1).start, kStart + absl::Minutes(3));
}

}  // namespace
}  // namespace fpo::coordinator
