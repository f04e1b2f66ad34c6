#include "server/core/queue_forecast.h"

#include <algorithm>
#include <queue>
#include <utility>

namespace fpo::coordinator {
namespace {

// Slots that come back at a time; unknown times come last and stay unknown.
using Return = std::pair<absl::Time, int32_t>;

class SlotCalendar {
 public:
  SlotCalendar(int32_t free, absl::Time now) : free_(free), now_(now) {}

  void Returns(std::optional<absl::Time> at, int32_t slots) {
    returns_.emplace(at.value_or(absl::InfiniteFuture()), slots);
  }
  // The earliest time from which `slots` are free, or nothing. Time does not go back: a job starts
  // no earlier than those before it.
  std::optional<absl::Time> Take(int32_t slots) {
    while (free_ < slots) {
      if (returns_.empty()) return std::nullopt;
      now_ = std::max(now_, returns_.top().first);
      free_ += returns_.top().second;
      returns_.pop();
    }
    free_ -= slots;
    if (now_ == absl::InfiniteFuture()) return std::nullopt;
    return now_;
  }

 private:
  std::priority_queue<Return, std::vector<Return>, std::greater<>> returns_;
  int32_t free_;
  absl::Time now_;
};

}  // namespace

QueueView ForecastQueue(const QueueScene& scene) {
  QueueView view;
  for (const SlotOffer& offer : scene.offers) {
    if (!offer.connected || !offer.open) continue;
    view.slots += offer.slots;
    view.slots_free += offer.free;
  }
  SlotCalendar calendar(view.slots_free, scene.now);
  for (const JobPtr& job : scene.with_attempt) {
    QueuePlace place{job, 0, job->started, EndEstimate(*job, scene.times->Usual(*job), scene.now)};
    calendar.Returns(IsActive(job->state) ? place.end : std::optional<absl::Time>(scene.now),
                     job->demand.slots);
    view.running.push_back(std::move(place));
  }
  for (const JobPtr& job : scene.queued) {
    QueuePlace place;
    place.job = job;
    place.position = static_cast<int32_t>(view.waiting.size()) + 1;
    if (job->demand.slots <= view.slots) {
      place.start = calendar.Take(job->demand.slots);
      if (place.start) place.start = std::max(*place.start, job->not_before);
      const std::optional<absl::Duration> usual = scene.times->Usual(*job);
      if (place.start && usual) place.end = *place.start + *usual;
      calendar.Returns(place.end, job->demand.slots);
    }
    view.waiting.push_back(std::move(place));
  }
  return view;
}

}  // namespace fpo::coordinator
