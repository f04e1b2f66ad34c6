#pragma once

#include "common/observe/metrics.h"

namespace fpo {

// Numbers of this process at each scrape, by the names that Prometheus's own clients use:
// process_open_fds, process_max_fds (none without a limit), process_resident_memory_bytes. What
// /proc does not say is absent.
void ShowProcess(MetricsRegistry* registry);

}  // namespace fpo
