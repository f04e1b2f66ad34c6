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

// One job of the queue as people look at it.
struct QueuePlace {
  JobPtr job;
  int32_t position = 0;  // from 1; 0: it holds slots
  std::optional<absl::Time> start;
  std::optional<absl::Time> end;
};

struct QueueView {
  std::vector<QueuePlace> running;
  std::vector<QueuePlace> waiting;  // in the order of starting, then those that nobody can say
  int32_t slots = 0;
  int32_t slots_free = 0;
};

// What the forecast looks at.
struct QueueScene {
  std::vector<JobPtr> with_attempt;
  std::vector<JobPtr> queued;  // in queue order
  std::vector<SlotOffer> offers;
  const RunTimes* times;
  FindJob find;  // those that waiting jobs depend on
  absl::Time now;
};

// When waiting jobs may start: those that others and their back-off let start do so in queue order
// on the workers that they may use (Eligible), and each takes as long as its like did. Unknown
// stays unknown: a guess that depends on it is none.
QueueView ForecastQueue(const QueueScene& scene);

}  // namespace fpo::coordinator
