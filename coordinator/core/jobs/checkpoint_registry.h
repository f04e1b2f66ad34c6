#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/core/jobs/job.h"

namespace fpo::coordinator {

inline constexpr size_t kBadCheckpointsKept = 20;

// What happens to one checkpoint, and why.
struct RetentionDecision {
  Checkpoint checkpoint;
  bool keep = true;
  std::string why;  // "pinned", "newest 2", "best 1", "not wanted: ..."
};

// Adds a checkpoint of the job's current attempt, or replaces the one of that step, and drops those
// that retention does not keep: fpo-train removes their folders by the same rule.
void AcceptCheckpoint(const Checkpoint& checkpoint, Job* job);

// The job's current attempt cannot use its checkpoint of that step: it no longer counts.
void RejectCheckpoint(const BadCheckpoint& bad, Job* job);
// The highest step that ever had a checkpoint, including one that turned out bad: writing it again
// is not progress.
int64_t HighestCheckpoint(const Job& job);

// Newest first. Kept: pinned ones, the newest keep_last, the keep_best with the lowest score; for a
// job that succeeded only the newest and pinned ones. At least one is kept.
std::vector<RetentionDecision> PlanRetention(const Job& job);

// Null when the job has none of that step.
Checkpoint* FindCheckpoint(int64_t step, Job* job);

// NotFound (NO_CHECKPOINT), listing the existing steps.
absl::Status NoSuchCheckpoint(const Job& job, int64_t step);

}  // namespace fpo::coordinator
