#pragma once

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "coordinator/core/jobs/job.h"

// Jobs that may run on fewer slots than they ask for (resources.min_slots). All functions are pure.
namespace fpo::coordinator {

struct ElasticOptions {
  // How long a job that has lost a worker waits for all of its slots before it takes fewer: about
  // what an agent or a host takes to start again.
  absl::Duration narrow_after = absl::Minutes(1);
  // How long an attempt on fewer slots runs at least before it is stopped to have all of them: a
  // restart costs loading the model, and a worker that comes and goes must not cost one each time.
  absl::Duration grow_after = absl::Minutes(10);
};

// Slots that the job's attempt holds; 0 without one.
int32_t HeldSlots(const Job& job);

// When a waiting job may start on fewer slots than it asks for; nullopt: never, for it has not
// asked for that, or no attempt of it has lost a worker.
std::optional<absl::Time> NarrowFrom(const Job& job, const ElasticOptions& options);
// The slots that it needs to start now.
int32_t LeastSlots(const Job& job, const ElasticOptions& options, absl::Time now);

// When a job that holds fewer slots than it asks for may be stopped to get all of them; nullopt: it
// holds all, or does not run.
std::optional<absl::Time> GrowFrom(const Job& job, const ElasticOptions& options);

}  // namespace fpo::coordinator
