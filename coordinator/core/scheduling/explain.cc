#include "coordinator/core/scheduling/explain.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "coordinator/core/scheduling/placement.h"

namespace fpo::coordinator {
namespace {

std::string Utc(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

template <typename Predicate>
std::string WorkersOf(const Job& job, Predicate waits_for) {
  std::vector<std::string> workers;
  for (const Member& member : job.attempts.back().members) {
    if (waits_for(member)) workers.push_back(member.worker);
  }
  return absl::StrJoin(workers, ", ");
}

template <typename... Pieces>
std::string Say(Standing standing, const Pieces&... pieces) {
  return absl::StrCat(StandingName(standing), ": ", pieces...);
}

bool StillRuns(const Member& member) { return !member.ended(); }

// "a, b, c, d and 3 more".
std::string Few(const std::vector<std::string>& names) {
  constexpr size_t kFew = 4;
  if (names.size() <= kFew) return absl::StrJoin(names, ", ");
  return absl::StrCat(absl::StrJoin(names.begin(), names.begin() + kFew, ", "), " and ",
                      names.size() - kFew, " more");
}

// "; avoided: w1; lost: w2; closed: w3", of the workers with the job's labels.
std::string Obstacles(const Job& job, const std::vector<SlotOffer>& known,
                      const std::vector<SlotOffer>& eligible) {
  std::vector<std::string> lost, closed, avoided;
  auto next = eligible.begin();  // in the order of `known`
  for (const SlotOffer& offer : known) {
    const bool eligible_too = next != eligible.end() && next->worker_id == offer.worker_id;
    if (eligible_too) ++next;
    if (!HasLabels(offer, job.demand.require)) continue;
    if (!offer.connected) {
      lost.push_back(offer.worker_id);
    } else if (!offer.open) {
      closed.push_back(offer.worker_id);
    } else if (!eligible_too) {
      avoided.push_back(offer.worker_id);
    }
  }
  std::string text;
  if (!avoided.empty()) absl::StrAppend(&text, "; avoided: ", Few(avoided), " (failed this job)");
  if (!lost.empty()) absl::StrAppend(&text, "; lost: ", Few(lost));
  if (!closed.empty()) absl::StrAppend(&text, "; closed: ", Few(closed));
  return text;
}

// What workers have instead of labels that none of them has together.
std::string NearMisses(const Job& job, const std::vector<SlotOffer>& known) {
  for (const auto& [name, value] : job.demand.require) {
    std::vector<std::string> others;
    bool found = false;
    for (const SlotOffer& offer : known) {
      const auto label = offer.labels.find(name);
      if (label == offer.labels.end()) continue;
      found |= label->second == value;
      others.push_back(absl::StrCat(name, "=", label->second, " on ", offer.worker_id));
    }
    if (found) continue;
    if (!others.empty()) return absl::StrCat("there is ", Few(others));
    std::set<std::string> names;
    for (const SlotOffer& offer : known) {
      for (const auto& label : offer.labels) names.insert(label.first);
    }
    const std::string labels = Few({names.begin(), names.end()});
    return absl::StrCat("no worker has a label ", name,
                        labels.empty() ? "" : absl::StrCat("; their labels: ", labels));
  }
  return "no worker has all of them";
}

WaitReason NoFit(const Job& job, const std::vector<SlotOffer>& known,
                 const std::vector<SlotOffer>& eligible) {
  const int32_t asked = job.demand.slots;
  const auto no_fit = [&](const auto&... pieces) {
    return WaitReason{Standing::kNoWorkerFits, Say(Standing::kNoWorkerFits, "asks for ", asked,
                                                   asked == 1 ? " slot" : " slots", pieces...)};
  };
  if (known.empty()) return no_fit(", no worker has connected yet");
  std::string labels;
  for (const auto& [name, value] : job.demand.require) {
    absl::StrAppend(&labels, labels.empty() ? " with " : ", ", name, "=", value);
  }
  const bool labelled = std::any_of(known.begin(), known.end(), [&](const SlotOffer& offer) {
    return HasLabels(offer, job.demand.require);
  });
  if (!labelled) return no_fit(labels, ", ", NearMisses(job, known));
  const std::string obstacles = Obstacles(job, known, eligible);
  WaitReason reason =
      no_fit(labels, ", the largest offer is ", LargestGroup(eligible), " over ", eligible.size(),
             eligible.size() == 1 ? " worker" : " workers", obstacles);
  reason.workers_away = !obstacles.empty();
  return reason;
}

}  // namespace

std::string ExplainBackoff(const Job& job, absl::string_view after_what) {
  return Say(Standing::kBackoff, "next try at ", Utc(job.not_before), " after ", after_what);
}

std::string ExplainAdmission(const Job& job) {
  return Say(Standing::kAdmission, "waiting for ",
             WorkersOf(job, [](const Member& m) { return m.state == MemberState::kAssigned; }),
             " to accept attempt ", job.attempts.back().number);
}

std::string ExplainRecovering(const Job& job) {
  const Attempt& attempt = job.attempts.back();
  const std::string after = Say(Standing::kRecovering, "attempt ", attempt.number, " ended (",
                                Name(attempt.end_class), ": ", attempt.end_message, ")");
  const std::string waits = WorkersOf(job, StillRuns);
  return waits.empty() ? after : absl::StrCat(after, "; waiting for ", waits, " to stop");
}

std::string ExplainStopping(const Job& job) {
  return Say(job.state == JobState::kPausing ? Standing::kPausing : Standing::kCancelling,
             "waiting for ", WorkersOf(job, StillRuns), " to stop");
}

std::string ExplainHeld(const Job& job) {
  return Say(Standing::kHeld, "starts after fpoctl release ", job.job_id);
}

std::string ExplainPaused(const Job& job) {
  const std::string from =
      job.checkpoint_step > 0
          ? absl::StrCat("continues from the checkpoint of step ", job.checkpoint_step)
          : "has no checkpoint yet, restarts its phase";
  return Say(Standing::kPaused, from, " after fpoctl resume ", job.job_id);
}

std::string ExplainDependency(const std::string& job_id, JobState state) {
  return Say(Standing::kDependency, "job ", job_id, " is ", Name(state),
             IsTerminal(state) ? ", which can never become SUCCEEDED" : "");
}

std::string ExplainEndDependency(const std::string& job_id, JobState state) {
  return Say(Standing::kDependency, "waits for the end of job ", job_id, ", which is ",
             Name(state));
}

WaitReason ExplainNoPlace(const Job& job, const std::vector<SlotOffer>& known) {
  const std::vector<SlotOffer> eligible = Eligible(job, known);
  if (LargestGroup(eligible) < job.demand.slots) return NoFit(job, known, eligible);
  int32_t free = 0;
  for (const SlotOffer& offer : eligible) free += offer.usable();
  const std::string obstacles = Obstacles(job, known, eligible);
  return {
      Standing::kWaitingForSlots,
      Say(Standing::kWaitingForSlots, "needs ", job.demand.slots, ", ", free, " free", obstacles),
      !obstacles.empty()};
}

std::string ExplainDeadline(absl::string_view no_place, absl::Time deadline) {
  return absl::StrCat(no_place, "; fails at ", Utc(deadline));
}

std::string ExplainFewer(const Job& job, const ElasticOptions& options, absl::Time now) {
  const std::optional<absl::Time> from = NarrowFrom(job, options);
  if (!from.has_value()) return "";
  return absl::StrCat("; ", job.demand.min_slots, " suffice",
                      now < *from ? absl::StrCat(" from ", Utc(*from), " on") : "",
                      ", since it has lost a worker");
}

std::string ExplainWidened(const Job& job, int32_t held) {
  return Say(Standing::kPreempted, "it goes on with ", job.demand.slots, " slots instead of ",
             held);
}

WaitReason ExplainBehind(int64_t jobs_ahead) {
  // Rounded when it is large, so that not every start changes every waiting job.
  int64_t unit = 1;
  while (jobs_ahead >= 20 * unit) unit *= 10;
  return {Standing::kLowerPriority,
          Say(Standing::kLowerPriority, jobs_ahead / unit * unit, unit > 1 ? "+" : "",
              jobs_ahead == 1 ? " job" : " jobs", " ahead in the queue")};
}

std::string ExplainDataDiffers(const Attempt& attempt) {
  const Member* first = nullptr;
  for (const Member& member : attempt.members) {
    if (member.prepared.empty()) continue;
    if (first == nullptr) first = &member;
    if (member.prepared == first->prepared) continue;
    return absl::StrCat("data-differs: from the same job worker ", member.worker,
                        " prepared other data than worker ", first->worker,
                        "; every host needs the same data and tokenizer files");
  }
  return "";
}

std::string ExplainPreempted(const Job& other) {
  return Say(Standing::kPreempted, "its slots go to job ", other.job_id, " of priority ",
             other.demand.priority);
}

std::string ExplainWorkerLeaves(absl::string_view worker, absl::string_view why) {
  return Say(Standing::kPreempted, "worker ", worker, ": ", why);
}

}  // namespace fpo::coordinator
