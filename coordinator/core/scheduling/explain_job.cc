#include "coordinator/core/scheduling/explain_job.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/observe/work.h"
#include "coordinator/core/jobs/restart_rules.h"
#include "coordinator/core/scheduling/elastic_slots.h"

namespace fpo::coordinator {
namespace {

constexpr size_t kListedMax = 8;

// Whole seconds, in words; never "0".
std::string WholeSeconds(absl::Duration duration) {
  if (duration < absl::Seconds(1)) return "less than 1s";
  return absl::FormatDuration(absl::Trunc(duration, absl::Seconds(1)));
}

bool ComputesRecords(const Progress& p) {
  return p.phase == Phase::kReference && (p.unit.empty() || p.unit == "responses");
}

Standing StandingOf(const Job& job) {
  switch (job.state) {
    case JobState::kQueued:
      return job.waits_for;
    case JobState::kReserved:
      return Standing::kAdmission;
    case JobState::kStarting:
    case JobState::kRunning:
      return ComputesRecords(job.progress) ? Standing::kRecords : Standing::kRunning;
    case JobState::kRecovering:
      return Standing::kRecovering;
    case JobState::kCancelling:
      return Standing::kCancelling;
    case JobState::kPausing:
      return Standing::kPausing;
    case JobState::kPreempting:
      return Standing::kPreempted;
    case JobState::kHeld:
      return Standing::kHeld;
    case JobState::kPaused:
      return Standing::kPaused;
    case JobState::kSucceeded:
      return Standing::kSucceeded;
    case JobState::kFailed:
      return Standing::kFailed;
    case JobState::kCancelled:
      return Standing::kCancelled;
  }
  return Standing::kQueued;
}

std::string WorkerLine(const WorkerView& worker, const Job& job) {
  std::string state = worker.connected ? "" : ", lost";
  if (worker.mode.kind != WorkerMode::Kind::kOpen) {
    absl::StrAppend(&state,
                    worker.mode.kind == WorkerMode::Kind::kCordoned ? ", cordoned" : ", draining");
    if (!worker.mode.note.empty()) absl::StrAppend(&state, " (", worker.mode.note, ")");
  }
  if (IsExcluded(job, worker.hello.worker_id)) {
    absl::StrAppend(&state, ", avoided: ", DescribeFaults(job, worker.hello.worker_id));
  }
  std::string line =
      absl::StrCat("worker ", worker.hello.worker_id, ": ", worker.hello.slots - worker.slots_used,
                   " of ", worker.hello.slots, " slots free", state);
  if (!worker.jobs.empty()) absl::StrAppend(&line, "; runs ", absl::StrJoin(worker.jobs, ", "));
  return line;
}

void AddWaiting(const Job& job, const ExplainSnapshot& snapshot, Explanation* e) {
  for (const JobPtr& other : snapshot.dependencies) {
    e->details.push_back(
        absl::StrCat("depends on ", other->job_id, " (", other->name, "): ", Name(other->state)));
  }
  e->details.insert(e->details.end(), snapshot.asked.begin(), snapshot.asked.end());
  for (size_t i = 0; i < snapshot.workers.size() && i < kListedMax; ++i) {
    e->details.push_back(WorkerLine(snapshot.workers[i], job));
  }
  if (snapshot.workers.size() > kListedMax) {
    e->details.push_back(
        absl::StrCat("and ", snapshot.workers.size() - kListedMax, " more workers"));
  }
  if (snapshot.ahead.empty()) return;
  std::vector<std::string> ids;
  for (size_t i = 0; i < snapshot.ahead.size() && i < kListedMax; ++i) {
    ids.push_back(snapshot.ahead[i]->job_id);
  }
  e->details.push_back(absl::StrCat(snapshot.ahead.size(),
                                    " ahead in the queue: ", absl::StrJoin(ids, ", "),
                                    snapshot.ahead.size() > kListedMax ? ", ..." : ""));
}

std::string AgoText(absl::Duration ago) {
  if (ago < absl::Seconds(1)) return "just now";
  return absl::StrCat(absl::FormatDuration(absl::Trunc(ago, absl::Seconds(1))), " ago");
}

void AddRunning(const Job& job, const ExplainSnapshot& snapshot, Explanation* e) {
  const Progress& p = job.progress;
  if (e->text.empty()) {
    if (ComputesRecords(p)) {
      e->text = absl::StrCat("records: ", p.done, " of ", p.total, " present");
    } else {
      e->text = absl::StrCat("running: ", p.phase ? Name(*p.phase) : "preflight");
      if (p.total > 0) {
        absl::StrAppend(&e->text, ", ", WorkText({{"", "", p.done, p.total, p.unit}}));
      }
    }
    if (!p.activity.empty()) absl::StrAppend(&e->text, "; ", p.activity);
  }
  for (const Member& member : job.attempts.back().members) {
    e->details.push_back(absl::StrCat("attempt ", job.attempts.back().number, " on ", member.worker,
                                      ", ", member.slots, member.slots == 1 ? " slot" : " slots"));
  }
  if (const int32_t held = HeldSlots(job); held < job.demand.slots) {
    e->details.push_back(absl::StrCat("holds ", held, " of ", job.demand.slots,
                                      " slots since it lost a worker; gets the rest when they are "
                                      "free and no job waits"));
  }
  if (p.updated != absl::InfinitePast()) {
    const absl::Duration ago = std::max(absl::ZeroDuration(), snapshot.now - p.updated);
    e->details.push_back(absl::StrCat("last progress ", AgoText(ago)));
  }
}

// A small increase: enough to see its effect, without overtaking every job.
std::string Raise(const Job& job) {
  constexpr int64_t kStep = 100, kMost = 1000;
  if (job.demand.priority >= kMost) return "fpoctl queue";
  return absl::StrCat("fpoctl priority ", job.job_id, " ",
                      std::min(job.demand.priority + kStep, kMost));
}

// For a job that ended without a reason: how long it took, and in how many attempts.
std::string EndText(const Job& job) {
  if (!job.started || !job.ended) return "before it started";
  return absl::StrCat("after ", WholeSeconds(*job.ended - *job.started), " in ",
                      job.attempts.size(), job.attempts.size() == 1 ? " attempt" : " attempts");
}

std::string NextOf(const Job& job, Standing standing) {
  switch (standing) {
    case Standing::kHeld:
      return absl::StrCat("fpoctl release ", job.job_id);
    case Standing::kPaused:
      return absl::StrCat("fpoctl resume ", job.job_id);
    case Standing::kFailed:
    case Standing::kCancelled:
      return absl::StrCat("fpoctl retry ", job.job_id);
    case Standing::kSucceeded:
      return absl::StrCat("fpoctl download ", job.job_id);
    case Standing::kNoWorkerFits:
      return "fpoctl workers list";
    case Standing::kWaitingForSlots:
      return job.workers_away ? "fpoctl workers list" : "fpoctl queue";
    case Standing::kQuota:
      return "fpoctl queue";
    case Standing::kLowerPriority:
      return Raise(job);
    default:
      return "";
  }
}

}  // namespace

Explanation ExplainJob(const Job& job, const ExplainSnapshot& snapshot) {
  Explanation e;
  e.text = job.reason;
  e.standing = StandingOf(job);
  if (IsTerminal(job.state)) {
    if (e.text.empty()) e.text = EndText(job);
  } else if (HasAttempt(job.state)) {
    AddRunning(job, snapshot, &e);
  } else {
    if (e.text.empty()) e.text = "scheduling: the next scheduling pass decides";
    AddWaiting(job, snapshot, &e);
  }
  for (const Attempt& attempt : job.attempts) {
    if (!attempt.ended || attempt.end_class == EndClass::kDone) continue;
    e.details.push_back(absl::StrCat("attempt ", attempt.number, " ended at step ",
                                     attempt.end_step, ": ", Name(attempt.end_class),
                                     attempt.end_message.empty() ? "" : ": ", attempt.end_message));
  }
  e.next = NextOf(job, e.standing);
  return e;
}

}  // namespace fpo::coordinator
