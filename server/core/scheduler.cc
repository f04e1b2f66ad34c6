#include "server/core/scheduler.h"

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "server/core/explain.h"
#include "server/core/job_state_machine.h"

namespace fpo::coordinator {
namespace {

// The wall clock may have been set back since the back-off was written; no wait is longer than
// this.
constexpr absl::Duration kBackoffMax = absl::Minutes(5);

bool InBackoff(const Job& job, absl::Time wall) {
  return job.not_before > wall && job.not_before - wall <= kBackoffMax;
}

// Workers whose fault ended the last attempt come last, not never: they may be all there is.
std::set<std::string> Avoided(const Job& job) {
  std::set<std::string> workers;
  const Attempt* last = job.last_attempt();
  if (last == nullptr || last->end_class != "infrastructure") return workers;
  for (const Member& member : last->members) workers.insert(member.worker);
  return workers;
}

std::set<std::string> Devices(const std::vector<SlotOffer>& offers) {
  std::set<std::string> devices;
  for (const SlotOffer& offer : offers) devices.insert(offer.device);
  return devices;
}

bool FitsKnownWorkers(int32_t slots, const std::vector<SlotOffer>& offers) {
  for (const std::string& device : Devices(offers)) {
    int64_t all = 0;
    for (const SlotOffer& offer : offers) {
      if (offer.device == device) all += offer.slots;
    }
    if (all >= slots) return true;
  }
  return false;
}

Member MemberOn(const SlotOffer& offer, int32_t slots, int32_t first_rank) {
  Member member;
  member.worker = offer.worker_id;
  member.instance = offer.instance_id;
  member.slots = slots;
  member.first_rank = first_rank;
  return member;
}

// One worker if one has room, the fullest such; else as few workers of one device kind as possible.
std::vector<Member> Place(const Job& job, const std::vector<SlotOffer>& offers) {
  const int32_t needed = job.demand.slots;
  const std::set<std::string> avoided = Avoided(job);
  const SlotOffer* best = nullptr;
  auto rank = [&](const SlotOffer& o) {
    return std::make_tuple(avoided.count(o.worker_id), o.usable(), o.worker_id);
  };
  for (const SlotOffer& offer : offers) {
    if (offer.usable() >= needed && (best == nullptr || rank(offer) < rank(*best))) best = &offer;
  }
  if (best != nullptr) return {MemberOn(*best, needed, 0)};

  for (const std::string& device : Devices(offers)) {
    std::vector<const SlotOffer*> group;
    for (const SlotOffer& offer : offers) {
      if (offer.device == device && offer.usable() > 0) group.push_back(&offer);
    }
    std::sort(group.begin(), group.end(), [&](const SlotOffer* a, const SlotOffer* b) {
      return std::make_tuple(avoided.count(a->worker_id), -a->usable(), a->worker_id) <
             std::make_tuple(avoided.count(b->worker_id), -b->usable(), b->worker_id);
    });
    std::vector<Member> members;
    int32_t placed = 0;
    for (const SlotOffer* offer : group) {
      if (placed == needed) break;
      const int32_t take = std::min(offer->usable(), needed - placed);
      members.push_back(MemberOn(*offer, take, placed));
      placed += take;
    }
    if (placed == needed) return members;
  }
  return {};
}

void Take(const std::vector<Member>& members, std::vector<SlotOffer>* offers) {
  for (const Member& member : members) {
    for (SlotOffer& offer : *offers) {
      if (offer.worker_id == member.worker) offer.free -= member.slots;
    }
  }
}

}  // namespace

SchedulePlan Scheduler::Tick(const std::vector<const Job*>& queued, std::vector<SlotOffer> offers,
                             const Moment& now) {
  SchedulePlan plan;
  std::map<std::string, absl::Time> unfit;
  int64_t waiting_ahead = 0;
  for (const Job* job : queued) {
    if (!FitsKnownWorkers(job->demand.slots, offers)) {
      const auto before = unfit_since_.find(job->job_id);
      const absl::Time since = before == unfit_since_.end() ? now.steady : before->second;
      std::string why = ExplainNoFit(job->demand.slots, offers);
      if (now.steady - since >= options_.unsatisfiable_after) {
        plan.unsatisfiable.push_back(
            {job->job_id, absl::StrCat(why, "; gave up after ",
                                       absl::FormatDuration(options_.unsatisfiable_after))});
      } else {
        unfit[job->job_id] = since;
        plan.waits.push_back({job->job_id, std::move(why)});
      }
      continue;
    }
    if (InBackoff(*job, now.wall)) {
      plan.waits.push_back({job->job_id, job->reason});
      continue;
    }
    if (waiting_ahead > 0) {
      plan.waits.push_back({job->job_id, ExplainBehind(waiting_ahead++)});
      continue;
    }
    std::vector<Member> members = Place(*job, offers);
    if (members.empty()) {
      plan.waits.push_back({job->job_id, ExplainSlots(job->demand.slots, offers)});
      ++waiting_ahead;
      continue;
    }
    Take(members, &offers);
    plan.placements.push_back({job->job_id, std::move(members)});
  }
  unfit_since_ = std::move(unfit);
  return plan;
}

}  // namespace fpo::coordinator
