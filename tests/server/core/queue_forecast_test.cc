#include "server/core/queue_forecast.h"

#include "gtest/gtest.h"
#include "tests/server/core/fixtures.h"

namespace fpo::coordinator {
namespace {

JobPtr Ptr(Job job) { return std::make_shared<const Job>(std::move(job)); }

JobPtr Running(const std::string& id, double step_seconds, int64_t steps_left) {
  Job job = RunningJob(id);
  job.progress.phase = "train";
  job.progress.step = 10;
  job.progress.total_steps = 10 + steps_left;
  if (step_seconds > 0) job.progress.metrics["step_seconds"] = step_seconds;
  return Ptr(job);
}

QueueView ForecastQueue(std::vector<JobPtr> running, std::vector<JobPtr> queued,
                        std::vector<SlotOffer> offers, const RunTimes& times) {
  return coordinator::ForecastQueue(
      {std::move(running), std::move(queued), std::move(offers), &times, kStart});
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
  EXPECT_EQ(view.waiting.at(0).start, std::nullopt);
  EXPECT_EQ(view.waiting.at(1).start, kStart);
}

}  // namespace
}  // namespace fpo::coordinator
