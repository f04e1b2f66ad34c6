#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/train_protocol.h"
#include "coordinator/core/jobs/job.h"

namespace fpo::coordinator {

// Of kind kUnknown when the line is no event.
TrainEvent EventIn(absl::string_view line);

// Whether TrackEvent would change a job: kinds it does not know change nothing, step and progress
// count from rank 0 and from the agent only.
bool ConcernsJob(const TrainEvent& event, int32_t rank);

// Folds an event that concerns it into a job, which has an attempt: phase, progress, metrics,
// newest checkpoint, result. Notes whether the attempt made progress in the sense of the
// no-progress rule: a newer checkpoint, a phase reached for the first time, a new reference record.
void TrackEvent(const TrainEvent& event, absl::Time now, Job* job);

// The trainer or the agent works on a phase: preflight is over, whatever report got lost.
bool ShowsWork(const TrainEvent& event);

}  // namespace fpo::coordinator
