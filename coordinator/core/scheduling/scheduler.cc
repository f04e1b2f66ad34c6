#include "coordinator/core/scheduling/scheduler.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/core/scheduling/explain.h"
#include "coordinator/core/scheduling/placement.h"

namespace fpo::coordinator {
namespace {

// The wall clock may have been set back since the back-off was written; no wait is longer than
// this.
constexpr absl::Duration kBackoffMax = absl::Minutes(5);

bool InBackoff(const Job& job, absl::Time wall) {
  return job.not_before > wall && job.not_before - wall <= kBackoffMax;
}

}  // namespace

// The state of one tick.
class Scheduler::Pass {
 public:
  Pass(Scheduler* scheduler, const SchedulerInput& input, const Moment& now)
      : options_(scheduler->options_),
        reservation_(scheduler->reservation_),
        input_(input),
        now_(now),
        offers_(input.offers),
        quota_(options_.quotas) {
    for (const Job* job : input.with_attempt) quota_.Use(*job, HeldSlots(*job));
    for (const SlotOffer& offer : offers_) free_ += offer.usable();
  }

  SchedulePlan Run(std::map<std::string, Moment>* unfit_since) {
    std::map<std::string, Moment> unfit;
    for (const Job* job : input_.queued) {
      if (LargestFor(job->demand.require) < Least(*job) || quota_.NeverFits(*job)) {
        const auto before = unfit_since->find(job->job_id);
        const Moment since = before == unfit_since->end() ? now_ : before->second;
        if (Unfit(*job, since)) unfit[job->job_id] = since;
      } else {
        Consider(*job);
      }
    }
    *unfit_since = std::move(unfit);
    if (reserved_ == nullptr) {
      reservation_.job_id.clear();
      for (const Job* job : input_.with_attempt) Widen(*job);
    }
    return std::move(plan_);
  }

 private:
  using Labels = std::map<std::string, std::string>;

  // The same for all jobs that require the same labels, and queues are long.
  int32_t LargestFor(const Labels& require) {
    const auto known = largest_.find(require);
    if (known != largest_.end()) return known->second;
    return largest_[require] = LargestLive(require, input_.offers);
  }

  // False when the job is given up. A worker that was lost a moment ago may be back soon, so its
  // jobs wait as long as those that never had one, and hold up no other jobs.
  bool Unfit(const Job& job, const Moment& since) {
    WaitReason why = quota_.NeverFits(job) ? WaitReason{Standing::kQuota, *quota_.Refusal(job)}
                                           : ExplainNoPlace(job, input_.offers);
    const bool grows = input_.may_grow && !quota_.NeverFits(job) && input_.may_grow(job);
    if (grows) {
      if (const std::optional<std::string> refusal = quota_.Refusal(job)) {
        why = {Standing::kQuota, *refusal};
      } else if (InBackoff(job, now_.wall)) {
        why = {Standing::kBackoff, job.reason};
      }
      Wait(job, std::move(why));
      return true;
    }
    if (now_.steady - since.steady < options_.unsatisfiable_after) {
      absl::StrAppend(&why.text, ExplainFewer(job, options_.elastic, now_.wall));
      why.text = ExplainDeadline(why.text, since.wall + options_.unsatisfiable_after);
      Wait(job, std::move(why));
      return true;
    }
    plan_.unsatisfiable.push_back(
        {job.job_id, absl::StrCat(why.text, "; gave up after ",
                                  absl::FormatDuration(options_.unsatisfiable_after))});
    return false;
  }

  // The fewest slots that the job starts with now.
  int32_t Least(const Job& job) const { return LeastSlots(job, options_.elastic, now_.wall); }

  bool Fits(const Job& job, const std::vector<SlotOffer>& offers) const {
    const int32_t slots = Least(job);
    return !Place(job, Eligible(job, offers, slots), {}, slots).empty();
  }

  // As many slots as the job can have, down to the fewest that it starts with.
  bool Start(const Job& job) {
    const auto most = static_cast<int32_t>(std::min<int64_t>(job.demand.slots, free_));
    for (int32_t slots = most; slots >= Least(job); --slots) {
      if (quota_.Refusal(job, slots).has_value()) continue;
      std::vector<Member> members = Place(job, Eligible(job, offers_, slots), NearTo(job), slots);
      if (members.empty() || !LeavesReservation(members)) continue;
      Take(members, &offers_);
      free_ -= slots;
      quota_.Use(job, slots);
      plan_.placements.push_back({job.job_id, std::move(members)});
      return true;
    }
    return false;
  }

  // What a job on fewer slots than it asks for and free ones together could hold whole.
  void Widen(const Job& job) {
    const std::optional<absl::Time> from = GrowFrom(job, options_.elastic);
    if (!from.has_value() || now_.wall < *from) return;
    const int32_t slots = job.demand.slots, held = HeldSlots(job);
    if (quota_.Refusal(job, slots - held).has_value()) return;
    std::vector<SlotOffer> later = offers_;
    Give(job.attempts.back().members, &later);
    const std::vector<Member> members = Place(job, Eligible(job, later, slots), {}, slots);
    if (members.empty()) return;
    Take(members, &later);
    offers_ = std::move(later);
    quota_.Use(job, slots - held);
    plan_.preemptions.push_back({job.job_id, ExplainWidened(job, held)});
  }

  void Consider(const Job& job) {
    if (InBackoff(job, now_.wall)) return Wait(job, {Standing::kBackoff, job.reason});
    if (const std::optional<std::string> refusal = quota_.Refusal(job, Least(job))) {
      return Wait(job, {Standing::kQuota, *refusal});
    }
    if (reserved_ != nullptr && free_ < Least(job)) return Wait(job, ExplainBehind(waiting_++));
    if (Start(job)) return;
    if (reserved_ != nullptr) return Wait(job, ExplainBehind(waiting_++));
    reserved_ = &job;
    ++waiting_;
    if (reservation_.job_id != job.job_id) reservation_ = {job.job_id, now_.wall};
    const bool makes_room = MakeRoom(job);
    WaitReason why = ExplainNoPlace(job, offers_);
    if (makes_room) {
      absl::StrAppend(&why.text, "; ", plan_.preemptions.size(), " being preempted");
    }
    absl::StrAppend(&why.text, ExplainFewer(job, options_.elastic, now_.wall));
    Wait(job, std::move(why));
  }

  void Wait(const Job& job, WaitReason why) { plan_.waits.push_back({job.job_id, std::move(why)}); }

  const std::set<std::string>& NearTo(const Job& job) const {
    static const std::set<std::string> kNowhere;
    if (input_.files == nullptr || job.demand.data_key.empty()) return kNowhere;
    const auto found = input_.files->find(job.demand.data_key);
    return found == input_.files->end() ? kNowhere : found->second;
  }

  // Whether the reserved job could still start once what ran before its reservation has ended: how
  // long a job placed since then will run is unknown.
  bool LeavesReservation(const std::vector<Member>& members) const {
    if (reserved_ == nullptr) return true;
    std::vector<SlotOffer> later = input_.offers;
    for (SlotOffer& offer : later) offer.free = offer.slots;
    for (const Job* job : input_.with_attempt) {
      const Attempt& attempt = job->attempts.back();
      if (attempt.started >= reservation_.since) Take(attempt.members, &later);
    }
    for (const SchedulePlan::Placement& placed : plan_.placements) Take(placed.members, &later);
    Take(members, &later);
    for (SlotOffer& offer : later) offer.connected = offer.open = !offer.gone;
    return Fits(*reserved_, later);
  }

  // Chooses running jobs of lower priority, the least urgent and youngest first, whose slots would
  // let the job start. None when even all of them would not.
  bool MakeRoom(const Job& job) {
    std::vector<SlotOffer> later = offers_;
    std::vector<const Job*> victims;
    for (const Job* other : input_.with_attempt) {
      if (!IsActive(other->state)) {
        Give(other->attempts.back().members, &later);  // its slots are freed anyway
      } else if (other->demand.priority < job.demand.priority) {
        victims.push_back(other);
      }
    }
    const auto starts = [&] { return Fits(job, later); };
    if (starts()) return false;
    std::sort(victims.begin(), victims.end(), [](const Job* a, const Job* b) {
      return std::make_tuple(a->demand.priority, b->attempts.back().started, a->job_id) <
             std::make_tuple(b->demand.priority, a->attempts.back().started, b->job_id);
    });
    std::vector<const Job*> chosen;
    for (const Job* victim : victims) {
      Give(victim->attempts.back().members, &later);
      chosen.push_back(victim);
      if (!starts()) continue;
      KeepNeeded(job, std::move(later), &chosen);
      for (const Job* one : chosen) {
        plan_.preemptions.push_back({one->job_id, ExplainPreempted(job)});
      }
      return true;
    }
    return false;
  }

  // Drops victims that the job turns out not to need.
  void KeepNeeded(const Job& job, std::vector<SlotOffer> later,
                  std::vector<const Job*>* chosen) const {
    for (size_t i = 0; i + 1 < chosen->size();) {
      std::vector<SlotOffer> without = later;
      Take((*chosen)[i]->attempts.back().members, &without);
      if (!Fits(job, without)) {
        ++i;
        continue;
      }
      later = std::move(without);
      chosen->erase(chosen->begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  const SchedulerOptions& options_;
  Reservation& reservation_;
  const SchedulerInput& input_;
  const Moment now_;
  std::vector<SlotOffer> offers_;
  SlotQuota quota_;
  const Job* reserved_ = nullptr;
  int64_t free_ = 0;  // slots that could be given now
  std::map<Labels, int32_t> largest_;
  int64_t waiting_ = 0;  // jobs that wait for slots so far
  SchedulePlan plan_;
};

SchedulePlan Scheduler::Tick(const SchedulerInput& input, const Moment& now) {
  return Pass(this, input, now).Run(&unfit_since_);
}

}  // namespace fpo::coordinator
