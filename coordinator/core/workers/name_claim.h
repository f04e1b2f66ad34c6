#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coordinator/core/workers/worker_registry.h"

namespace fpo::coordinator {

// The facts when an agent requests a name that another process has or had.
struct NameDispute {
  NameHolder holder;
  absl::Duration heartbeat;  // interval of heartbeats
  absl::Duration lease;      // that the holder's attempts still have; zero: none of it can run
  absl::Time now;            // steady clock
};

// Whether both use one work dir of one host (whose lock keeps two agents from using it at once), so
// that the later one is the earlier one, restarted. True for agents that do not report it.
bool IsSameHome(const WorkerHello& a, const WorkerHello& b);

// Whether the newcomer may have the name. A live process keeps it:
// AlreadyExists (WORKER_NAME_TAKEN): the holder is alive, and asking again will not help;
// Unavailable (WORKER_NAME_BUSY): not known yet, ask again.
// A restarted agent gets its name at once when its old connection is known to be broken, and within
// three heartbeats when the host died silently. A holder of the same home that still sends
// heartbeats after it was asked about is alive: then the newcomer is a copy of the whole machine.
absl::Status MayTakeName(const WorkerHello& newcomer, const NameDispute& dispute);

}  // namespace fpo::coordinator
