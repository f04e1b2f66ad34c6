#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coordinator/core/workers/worker_registry.h"

namespace fpo::coordinator {

// What is known when an agent asks for a name that another process has or had.
struct NameDispute {
  NameHolder holder;
  absl::Duration beat;   // how often agents beat
  absl::Duration lease;  // that the holder's attempts still have; zero: none of it can run
  absl::Time now;        // steady clock
};

// Both live in one work dir of one host (whose lock keeps two agents from using it at once), so
// that the later one is the earlier one, restarted. Agents that do not say where they live count.
bool IsSameHome(const WorkerHello& a, const WorkerHello& b);

// Whether the newcomer may have the name. A process that is alive keeps it:
//   AlreadyExists (WORKER_NAME_TAKEN): it is, and this will not change by asking again;
//   Unavailable (WORKER_NAME_BUSY): nobody knows yet, ask again.
// A restarted agent has its name at once when its old connection is known to be broken, and within
// three beats when the host died without a word. A holder of the same home that beats on after it
// was asked about is no dead process: then the newcomer is a copy of the whole machine.
absl::Status MayTakeName(const WorkerHello& newcomer, const NameDispute& dispute);

}  // namespace fpo::coordinator
