#include "coordinator/core/scheduling/placement.h"

#include <algorithm>
#include <functional>
#include <map>
#include <tuple>

#include "coordinator/core/jobs/restart_rules.h"

namespace fpo::coordinator {
namespace {

// Workers whose fault ended the last attempt come last, not never: there may be no others.
std::set<std::string> Avoided(const Job& job) {
  std::set<std::string> workers;
  const Attempt* last = job.last_attempt();
  if (last == nullptr || last->end_class != EndClass::kInfrastructure) return workers;
  for (const Member& member : last->members) workers.insert(member.worker);
  return workers;
}

Member MemberOn(const SlotOffer& offer, int32_t slots, int32_t first_rank) {
  Member member;
  member.worker = offer.worker_id;
  member.instance = offer.instance_id;
  member.home = offer.home;
  member.slots = slots;
  member.first_rank = first_rank;
  return member;
}

SlotOffer* Find(const std::string& worker, std::vector<SlotOffer>* offers) {
  const auto found = std::find_if(offers->begin(), offers->end(), [&](const SlotOffer& offer) {
    return offer.worker_id == worker;
  });
  return found == offers->end() ? nullptr : &*found;
}

int32_t LargestOf(const std::vector<SlotOffer>& offers,
                  const std::function<bool(const SlotOffer&)>& counts) {
  std::map<DeviceKind, int32_t> slots;
  int32_t largest = 0;
  for (const SlotOffer& offer : offers) {
    if (counts(offer)) largest = std::max(largest, slots[offer.device] += offer.slots);
  }
  return largest;
}

}  // namespace

bool HasLabels(const SlotOffer& offer, const std::map<std::string, std::string>& required) {
  return std::all_of(required.begin(), required.end(), [&](const auto& label) {
    const auto found = offer.labels.find(label.first);
    return found != offer.labels.end() && found->second == label.second;
  });
}

int32_t LargestGroup(const std::vector<SlotOffer>& offers) {
  return LargestOf(offers, [](const SlotOffer& offer) { return !offer.gone; });
}

int32_t LargestLive(const std::map<std::string, std::string>& required,
                    const std::vector<SlotOffer>& offers) {
  return LargestOf(offers, [&](const SlotOffer& offer) {
    return offer.connected && HasLabels(offer, required);
  });
}

std::vector<SlotOffer> Eligible(const Job& job, const std::vector<SlotOffer>& offers) {
  return Eligible(job, offers, job.demand.slots);
}

std::vector<SlotOffer> Eligible(const Job& job, const std::vector<SlotOffer>& offers,
                                int32_t slots) {
  std::vector<SlotOffer> labelled;
  std::vector<SlotOffer> trusted;
  for (const SlotOffer& offer : offers) {
    if (offer.gone || !HasLabels(offer, job.demand.require)) continue;
    labelled.push_back(offer);
    const bool takes_jobs = offer.open || !offer.connected;
    if (takes_jobs && !IsExcluded(job, offer.worker_id)) trusted.push_back(offer);
  }
  return LargestGroup(trusted) >= slots ? trusted : labelled;
}

std::vector<Member> Place(const Job& job, const std::vector<SlotOffer>& offers,
                          const std::set<std::string>& near) {
  return Place(job, offers, near, job.demand.slots);
}

std::vector<Member> Place(const Job& job, const std::vector<SlotOffer>& offers,
                          const std::set<std::string>& near, int32_t slots) {
  const std::set<std::string> avoided = Avoided(job);
  const auto rank = [&](const SlotOffer& o) {
    return std::make_tuple(avoided.count(o.worker_id), 1 - near.count(o.worker_id), o.usable(),
                           o.worker_id);
  };
  const SlotOffer* best = nullptr;
  for (const SlotOffer& offer : offers) {
    if (offer.usable() >= slots && (best == nullptr || rank(offer) < rank(*best))) best = &offer;
  }
  if (best != nullptr) return {MemberOn(*best, slots, 0)};

  std::map<DeviceKind, std::vector<const SlotOffer*>> groups;
  for (const SlotOffer& offer : offers) {
    if (offer.usable() > 0) groups[offer.device].push_back(&offer);
  }
  for (auto& [device, group] : groups) {
    std::sort(group.begin(), group.end(), [&](const SlotOffer* a, const SlotOffer* b) {
      const auto order = [&](const SlotOffer& o) {
        return std::make_tuple(avoided.count(o.worker_id), -o.usable(), 1 - near.count(o.worker_id),
                               o.worker_id);
      };
      return order(*a) < order(*b);
    });
    std::vector<Member> members;
    int32_t placed = 0;
    for (const SlotOffer* offer : group) {
      if (placed == slots) break;
      const int32_t take = std::min(offer->usable(), slots - placed);
      members.push_back(MemberOn(*offer, take, placed));
      placed += take;
    }
    if (placed == slots) return members;
  }
  return {};
}

void Take(const std::vector<Member>& members, std::vector<SlotOffer>* offers) {
  for (const Member& member : members) {
    if (SlotOffer* offer = Find(member.worker, offers)) offer->free -= member.slots;
  }
}

void Give(const std::vector<Member>& members, std::vector<SlotOffer>* offers) {
  for (const Member& member : members) {
    SlotOffer* offer = Find(member.worker, offers);
    if (offer != nullptr) offer->free = std::min(offer->slots, offer->free + member.slots);
  }
}

}  // namespace fpo::coordinator
