#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/jobs/dependencies.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/scheduling/run_times.h"
#include "coordinator/core/scheduling/slot_offer.h"

namespace fpo::coordinator {

// One job of the queue, for display.
struct QueuePlace {
  JobPtr job;
  int32_t position = 0;  // from 1; 0: it holds slots
  std::optional<absl::Time> start;
  std::optional<absl::Time> end;
};

struct QueueView {
  std::vector<QueuePlace> running;
  std::vector<QueuePlace> waiting;  // in the order of starting, then those whose start is unknown
  int32_t slots = 0;
  int32_t slots_free = 0;
};

// The inputs of the forecast.
struct QueueSnapshot {
  std::vector<JobPtr> with_attempt;
  std::vector<JobPtr> queued;  // in queue order
  std::vector<SlotOffer> offers;
  const RunTimes* times;
  FindJob find;  // those that waiting jobs depend on
  absl::Time now;
};

// When waiting jobs may start: those whose dependencies and back-off allow it start in queue order
// on the workers that they may use (Eligible), and each takes as long as similar jobs did. Unknown
// stays unknown: nothing is guessed from it.
QueueView ForecastQueue(const QueueSnapshot& snapshot);

}  // namespace fpo::coordinator
