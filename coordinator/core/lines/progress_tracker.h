#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/train_protocol.h"
#include "coordinator/core/jobs/job.h"

namespace fpo::coordinator {

// Of kind kUnknown when the line is not an event.
TrainEvent EventIn(absl::string_view line);

// Whether TrackEvent would change a job: unknown kinds change nothing, and step and progress count
// only from rank 0 and from the agent.
bool ConcernsJob(const TrainEvent& event, int32_t rank);

// Applies an event that concerns it to a job with an attempt: phase, progress, metrics, newest
// checkpoint, result. The step is that of the newest event that shows one, so that a run whose last
// steps were reported by a lost attempt alone does not seem to have ended early. Notes whether the
// attempt made progress in the sense of the no-progress rule: a newer checkpoint, a phase reached
// for the first time, a new reference record.
void TrackEvent(const TrainEvent& event, absl::Time now, Job* job);

// The trainer or the agent works on a phase: preflight is over, even if its report was lost.
bool ShowsWork(const TrainEvent& event);

}  // namespace fpo::coordinator
