#include "coordinator/core/jobs/checkpoint_registry.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/error_info.h"

namespace fpo::coordinator {
namespace {

std::set<int64_t> BestSteps(const Job& job) {
  std::vector<std::pair<double, int64_t>> scored;
  for (const Checkpoint& checkpoint : job.checkpoints) {
    if (checkpoint.score) scored.emplace_back(*checkpoint.score, checkpoint.step);
  }
  std::sort(scored.begin(), scored.end());
  const auto best = static_cast<size_t>(std::max<int64_t>(job.demand.keep_best, 0));
  std::set<int64_t> steps;
  for (size_t i = 0; i < scored.size() && i < best; ++i) steps.insert(scored[i].second);
  return steps;
}

}  // namespace

std::vector<RetentionDecision> PlanRetention(const Job& job) {
  const bool done = job.state == JobState::kSucceeded;
  const int64_t newest = done ? 1 : std::max<int64_t>(job.demand.keep_last, 1);
  const std::set<int64_t> best = done ? std::set<int64_t>() : BestSteps(job);
  std::vector<RetentionDecision> decisions;
  for (auto it = job.checkpoints.rbegin(); it != job.checkpoints.rend(); ++it) {
    RetentionDecision decision{*it, true, ""};
    if (it->pinned) {
      decision.why = "pinned";
    } else if (static_cast<int64_t>(decisions.size()) < newest) {
      decision.why = done ? "final" : absl::StrCat("newest ", newest);
    } else if (best.count(it->step) > 0) {
      decision.why = absl::StrCat("best ", job.demand.keep_best);
    } else {
      decision.keep = false;
      decision.why =
          done ? "the job has succeeded"
               : absl::StrCat("neither newest ", newest, " nor best ", job.demand.keep_best);
    }
    decisions.push_back(std::move(decision));
  }
  return decisions;
}

void AcceptCheckpoint(const Checkpoint& checkpoint, Job* job) {
  std::vector<Checkpoint>& all = job->checkpoints;
  const auto at =
      std::lower_bound(all.begin(), all.end(), checkpoint.step,
                       [](const Checkpoint& each, int64_t step) { return each.step < step; });
  if (at != all.end() && at->step == checkpoint.step) {
    const bool pinned = at->pinned;
    *at = checkpoint;
    at->pinned = pinned;
  } else {
    all.insert(at, checkpoint);
  }
  for (const RetentionDecision& decision : PlanRetention(*job)) {
    if (decision.keep) continue;
    std::erase_if(all, [&](const Checkpoint& c) { return c.step == decision.checkpoint.step; });
  }
  job->checkpoint_step = std::max(job->checkpoint_step, checkpoint.step);
}

void RejectCheckpoint(const BadCheckpoint& bad, Job* job) {
  std::erase_if(job->checkpoints, [&](const Checkpoint& c) { return c.step == bad.step; });
  job->bad_checkpoints.push_back(bad);
  if (job->bad_checkpoints.size() > kBadCheckpointsKept) {
    job->bad_checkpoints.erase(job->bad_checkpoints.begin());
  }
  job->checkpoint_step = job->checkpoints.empty() ? 0 : job->checkpoints.back().step;
}

int64_t HighestCheckpoint(const Job& job) {
  int64_t highest = job.checkpoint_step;
  for (const BadCheckpoint& bad : job.bad_checkpoints) highest = std::max(highest, bad.step);
  return highest;
}

Checkpoint* FindCheckpoint(int64_t step, Job* job) {
  for (Checkpoint& checkpoint : job->checkpoints) {
    if (checkpoint.step == step) return &checkpoint;
  }
  return nullptr;
}

absl::Status NoSuchCheckpoint(const Job& job, int64_t step) {
  std::vector<int64_t> steps;
  for (const Checkpoint& checkpoint : job.checkpoints) steps.push_back(checkpoint.step);
  return WithErrorInfo(
      absl::NotFoundError(absl::StrCat(
          "job ", job.job_id, " has no checkpoint of step ", step,
          steps.empty() ? ""
                        : absl::StrCat("; it has those of steps ", absl::StrJoin(steps, ", ")))),
      {.reason = ErrorReason::kNoCheckpoint,
       .field = "step",
       .hint = absl::StrCat("fpoctl ckpt list ", job.job_id),
       .ids = {job.job_id}});
}

}  // namespace fpo::coordinator
