#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "coordinator/core/jobs/job.h"

namespace fpo::coordinator {

enum class EventEffect {
  kNone,           // `job` is as it was
  kJob,            // it changed
  kBadCheckpoint,  // it changed: a checkpoint of it counts no longer
};

// Folds one event line of a job's current attempt into the job: phase, progress, metrics, newest
// checkpoint, result. Notes whether the attempt made progress in the sense of the no-progress rule:
// a newer checkpoint, a phase reached for the first time, a new reference record. Lines that are
// not events, and kinds it does not know, change nothing. Step and progress count from rank 0 only.
EventEffect TrackEvent(absl::string_view line, int32_t rank, absl::Time now, Job* job);

// The trainer or the agent works on a phase: preflight is over, whatever report got lost.
bool ShowsWork(absl::string_view line);

std::string KindOf(absl::string_view line);  // empty: the line is no event

}  // namespace fpo::coordinator
