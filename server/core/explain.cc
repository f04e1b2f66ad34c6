#include "server/core/explain.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"

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

bool StillRuns(const Member& member) { return !member.ended(); }

int32_t LargestGroup(const std::vector<SlotOffer>& offers) {
  std::map<std::string, int32_t> slots;
  int32_t largest = 0;
  for (const SlotOffer& offer : offers) {
    largest = std::max(largest, slots[offer.device] += offer.slots);
  }
  return largest;
}

}  // namespace

std::string ExplainBackoff(const Job& job, absl::string_view after_what) {
  return absl::StrCat("backoff: next try at ", Utc(job.not_before), " after ", after_what);
}

std::string ExplainAdmission(const Job& job) {
  return absl::StrCat(
      "admission: waiting for ",
      WorkersOf(job, [](const Member& m) { return m.state == MemberState::kAssigned; }),
      " to accept attempt ", job.attempts.back().number);
}

std::string ExplainRecovering(const Job& job) {
  const Attempt& attempt = job.attempts.back();
  const std::string after = absl::StrCat("recovering: attempt ", attempt.number, " ended (",
                                         attempt.end_class, ": ", attempt.end_message, ")");
  const std::string waits = WorkersOf(job, StillRuns);
  return waits.empty() ? after : absl::StrCat(after, "; waiting for ", waits, " to stop");
}

std::string ExplainCancelling(const Job& job) {
  return absl::StrCat("cancelling: waiting for ", WorkersOf(job, StillRuns), " to stop");
}

std::string ExplainNoFit(int32_t asked, const std::vector<SlotOffer>& offers) {
  if (offers.empty()) {
    return absl::StrCat("no-worker-fits: asks for ", asked, asked == 1 ? " slot" : " slots",
                        ", no worker has connected yet");
  }
  return absl::StrCat("no-worker-fits: asks for ", asked, " slots, the largest offer is ",
                      LargestGroup(offers), " over ", offers.size(),
                      offers.size() == 1 ? " worker" : " workers");
}

std::string ExplainSlots(int32_t needed, const std::vector<SlotOffer>& offers) {
  int32_t free = 0;
  std::vector<std::string> lost;
  for (const SlotOffer& offer : offers) {
    free += offer.usable();
    if (!offer.connected) lost.push_back(offer.worker_id);
  }
  std::string text = absl::StrCat("waiting-for-slots: needs ", needed, ", ", free, " free");
  if (!lost.empty()) absl::StrAppend(&text, "; lost: ", absl::StrJoin(lost, ", "));
  return text;
}

std::string ExplainBehind(int64_t jobs_ahead) {
  return absl::StrCat("lower-priority: ", jobs_ahead, jobs_ahead == 1 ? " job" : " jobs",
                      " ahead in the queue");
}

}  // namespace fpo::coordinator
