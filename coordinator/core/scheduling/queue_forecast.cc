#include "coordinator/core/scheduling/queue_forecast.h"

#include <algorithm>
#include <map>
#include <queue>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/core/scheduling/placement.h"

namespace fpo::coordinator {
namespace {

// Slots of one worker, by its number among those that offer any.
struct Share {
  size_t host;
  int32_t slots;
};

// A moment at which slots are freed, and jobs that wait for it have one thing less to wait for.
struct Event {
  absl::Time at;
  std::vector<Share> slots;
  std::string what;  // the job that ends, or the back-off of one
  bool operator>(const Event& other) const { return at > other.at; }
};

// How many jobs are considered after the first that does not fit.
constexpr int kLookBehind = 100;

// Not the job's id: others wait for its end, only the job itself for this.
std::string BackoffOf(const Job& job) { return absl::StrCat("back-off of ", job.job_id); }

// Simulates the queue. Unknown ends are not events: jobs that need them never start here.
class Simulation {
 public:
  explicit Simulation(const QueueSnapshot& snapshot) : snapshot_(snapshot), now_(snapshot.now) {
    for (const SlotOffer& offer : snapshot.offers) {
      if (!offer.connected || !offer.open) continue;
      host_of_[offer.worker_id] = hosts_.size();
      hosts_.push_back({offer.slots, offer.free});
      view_.slots += offer.slots;
      view_.slots_free += offer.free;
    }
  }

  QueueView Run() {
    for (const JobPtr& job : snapshot_.with_attempt) AddRunning(job);
    for (size_t i = 0; i < snapshot_.queued.size(); ++i) AddWaiting(i);
    for (StartReady(); !events_.empty(); StartReady()) TakeEvent();
    for (size_t i = 0; i < snapshot_.queued.size(); ++i) {
      if (!started_[i]) Place({snapshot_.queued[i], 0, std::nullopt, std::nullopt});
    }
    return std::move(view_);
  }

 private:
  struct Host {
    int32_t slots;
    int32_t free;
  };
  // What determines which workers a job may use.
  using Wishes = std::tuple<int32_t, std::map<std::string, std::string>,
                            std::map<std::string, int32_t>, std::set<std::string>>;
  using Hosts = std::vector<size_t>;

  void AddRunning(const JobPtr& job) {
    QueuePlace place{job, 0, job->started,
                     EndEstimate(*job, snapshot_.times->Usual(*job), snapshot_.now)};
    std::vector<Share> shares;
    for (const Member& member : job->attempts.back().members) {
      const auto host = host_of_.find(member.worker);
      if (host != host_of_.end()) shares.push_back({host->second, member.slots});
    }
    if (!IsActive(job->state)) {
      events_.push({snapshot_.now, std::move(shares), ""});
    } else if (place.end) {
      events_.push({*place.end, std::move(shares), job->job_id});
    }
    view_.running.push_back(std::move(place));
  }

  void AddWaiting(size_t index) {
    const Job& job = *snapshot_.queued[index];
    started_.push_back(false);
    waits_for_.push_back(0);
    if (UsableBy(job).empty()) return;  // holds up no other job
    for (const auto* ids : {&job.after_ok, &job.after_end}) {
      for (const std::string& id : *ids) {
        const JobPtr other = snapshot_.find(id);
        if (other && !IsTerminal(other->state)) WaitFor(id, index);
      }
    }
    if (job.not_before > snapshot_.now) {
      WaitFor(BackoffOf(job), index);
      events_.push({job.not_before, {}, BackoffOf(job)});
    }
    if (waits_for_[index] == 0) ready_.insert(index);
  }

  // Workers that could hold the job if all their slots were free, one list per kind of device. Long
  // queues have few kinds of jobs.
  const std::vector<Hosts>& UsableBy(const Job& job) {
    Wishes wishes(job.demand.slots, job.demand.require, job.host_faults, job.unready_hosts);
    const auto known = usable_.find(wishes);
    if (known != usable_.end()) return known->second;
    std::map<DeviceKind, Hosts> by_device;
    for (const SlotOffer& offer : Eligible(job, snapshot_.offers)) {
      const auto host = host_of_.find(offer.worker_id);
      if (host != host_of_.end()) by_device[offer.device].push_back(host->second);
    }
    std::vector<Hosts>& usable = usable_[std::move(wishes)];
    for (auto& [device, hosts] : by_device) {
      int64_t slots = 0;
      for (const size_t host : hosts) slots += hosts_[host].slots;
      if (slots >= job.demand.slots) usable.push_back(std::move(hosts));
    }
    return usable;
  }

  void WaitFor(const std::string& what, size_t index) {
    waiting_for_[what].push_back(index);
    ++waits_for_[index];
  }

  // The first that does not fit holds up the others on the workers that it waits for.
  void StartReady() {
    std::set<size_t> awaited;
    int behind = 0;
    for (auto it = ready_.begin(); it != ready_.end() && behind <= kLookBehind;) {
      const size_t index = *it;
      const std::vector<Hosts>& usable = UsableBy(*snapshot_.queued[index]);
      std::vector<Share> shares = Fit(snapshot_.queued[index]->demand.slots, usable, awaited);
      if (!shares.empty()) {
        it = ready_.erase(it);
        Start(index, std::move(shares));
        continue;
      }
      for (const Hosts& hosts : usable) awaited.insert(hosts.begin(), hosts.end());
      if (awaited.size() == hosts_.size()) return;
      ++behind;
      ++it;
    }
  }

  void Start(size_t index, std::vector<Share> shares) {
    const JobPtr& job = snapshot_.queued[index];
    for (const Share& share : shares) hosts_[share.host].free -= share.slots;
    started_[index] = true;
    QueuePlace place{job, 0, now_, std::nullopt};
    if (const std::optional<absl::Duration> usual = snapshot_.times->Usual(*job)) {
      place.end = now_ + *usual;
      events_.push({*place.end, std::move(shares), job->job_id});
    }
    Place(std::move(place));
  }

  // Free slots of workers with one kind of device; empty: there are too few.
  std::vector<Share> Fit(int32_t needed, const std::vector<Hosts>& usable,
                         const std::set<size_t>& awaited) const {
    for (const Hosts& hosts : usable) {
      std::vector<Share> shares;
      int32_t missing = needed;
      for (size_t i = 0; i < hosts.size() && missing > 0; ++i) {
        const int32_t taken = std::min(missing, hosts_[hosts[i]].free);
        if (taken <= 0 || awaited.count(hosts[i]) > 0) continue;
        shares.push_back({hosts[i], taken});
        missing -= taken;
      }
      if (missing == 0) return shares;
    }
    return {};
  }

  void TakeEvent() {
    const Event event = events_.top();
    events_.pop();
    now_ = std::max(now_, event.at);
    for (const Share& share : event.slots) {
      Host& host = hosts_[share.host];
      host.free = std::min(host.slots, host.free + share.slots);
    }
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

  const QueueSnapshot& snapshot_;
  absl::Time now_;
  std::map<std::string, size_t> host_of_;  // by worker
  std::vector<Host> hosts_;
  std::map<Wishes, std::vector<Hosts>> usable_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  // By the job's number in the queue.
  std::vector<bool> started_;
  std::vector<int32_t> waits_for_;
  std::set<size_t> ready_;
  std::map<std::string, std::vector<size_t>> waiting_for_;  // by Event::what
  QueueView view_;
};

}  // namespace

QueueView ForecastQueue(const QueueSnapshot& snapshot) { return Simulation(snapshot).Run(); }

}  // namespace fpo::coordinator
