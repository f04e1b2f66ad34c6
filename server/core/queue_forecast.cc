#include "server/core/queue_forecast.h"

#include <algorithm>
#include <map>
#include <queue>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace fpo::coordinator {
namespace {

// A moment at which slots come back and whoever waits for it waits for one thing less.
struct Event {
  absl::Time at;
  int32_t slots;
  std::string what;  // the job that ends, or the back-off of one
  bool operator>(const Event& other) const { return at > other.at; }
};

// Not the job's id: others wait for its end, it alone for this.
std::string BackoffOf(const Job& job) { return absl::StrCat("back-off of ", job.job_id); }

// Plays the queue forward. Ends that nobody knows are no events: what needs them never starts here.
class Simulation {
 public:
  explicit Simulation(const QueueScene& scene) : scene_(scene), now_(scene.now) {
    for (const SlotOffer& offer : scene.offers) {
      if (!offer.connected || !offer.open) continue;
      view_.slots += offer.slots;
      view_.slots_free += offer.free;
    }
    free_ = view_.slots_free;
  }

  QueueView Run() {
    for (const JobPtr& job : scene_.with_attempt) AddRunning(job);
    for (size_t i = 0; i < scene_.queued.size(); ++i) AddWaiting(i);
    for (StartReady(); !events_.empty(); StartReady()) TakeEvent();
    for (size_t i = 0; i < scene_.queued.size(); ++i) {
      if (!started_[i]) Place({scene_.queued[i], 0, std::nullopt, std::nullopt});
    }
    return std::move(view_);
  }

 private:
  void AddRunning(const JobPtr& job) {
    QueuePlace place{job, 0, job->started,
                     EndEstimate(*job, scene_.times->Usual(*job), scene_.now)};
    if (!IsActive(job->state)) {
      events_.push({scene_.now, job->demand.slots, ""});
    } else if (place.end) {
      events_.push({*place.end, job->demand.slots, job->job_id});
    }
    view_.running.push_back(std::move(place));
  }

  void AddWaiting(size_t index) {
    const Job& job = *scene_.queued[index];
    started_.push_back(false);
    waits_for_.push_back(0);
    if (job.demand.slots > view_.slots) return;  // holds up nobody
    for (const auto* ids : {&job.after_ok, &job.after_end}) {
      for (const std::string& id : *ids) {
        const JobPtr other = scene_.find(id);
        if (other && !IsTerminal(other->state)) WaitFor(id, index);
      }
    }
    if (job.not_before > scene_.now) {
      WaitFor(BackoffOf(job), index);
      events_.push({job.not_before, 0, BackoffOf(job)});
    }
    if (waits_for_[index] == 0) ready_.insert(index);
  }

  void WaitFor(const std::string& what, size_t index) {
    waiting_for_[what].push_back(index);
    ++waits_for_[index];
  }

  // The first that does not fit holds up the others.
  void StartReady() {
    while (!ready_.empty() && scene_.queued[*ready_.begin()]->demand.slots <= free_) {
      const size_t index = *ready_.begin();
      ready_.erase(ready_.begin());
      const JobPtr& job = scene_.queued[index];
      free_ -= job->demand.slots;
      started_[index] = true;
      QueuePlace place{job, 0, now_, std::nullopt};
      if (const std::optional<absl::Duration> usual = scene_.times->Usual(*job)) {
        place.end = now_ + *usual;
        events_.push({*place.end, job->demand.slots, job->job_id});
      }
      Place(std::move(place));
    }
  }

  void TakeEvent() {
    const Event event = events_.top();
    events_.pop();
    now_ = std::max(now_, event.at);
    free_ += event.slots;
    const auto waiting = waiting_for_.extract(event.what);
    if (waiting.empty()) return;
    for (const size_t index : waiting.mapped()) {
      if (--waits_for_[index] == 0) ready_.insert(index);
    }
  }

  void Place(QueuePlace place) {
    place.position = static_cast<int32_t>(view_.waiting.size()) + 1;
    view_.waiting.push_back(std::move(place));
  }

  const QueueScene& scene_;
  absl::Time now_;
  int32_t free_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  // By the number of a job in the queue.
  std::vector<bool> started_;
  std::vector<int32_t> waits_for_;
  std::set<size_t> ready_;
  std::map<std::string, std::vector<size_t>> waiting_for_;  // by Event::what
  QueueView view_;
};

}  // namespace

QueueView ForecastQueue(const QueueScene& scene) { return Simulation(scene).Run(); }

}  // namespace fpo::coordinator
